"""Signals into trades of the underlying itself, by the fill model of docs/backtest.md. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, NamedTuple, cast

import numpy as np

from libs.events.signals import StrategySignal
from libs.market.charges import TransactionType
from libs.market.naming import is_index
from libs.market.underlying_charges import Product, charges_in_paise, whole_rates
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.fills import Market, paise_of, rupees_of
from services.local.backtest.orders import Order, orders_of
from services.local.backtest.result import BacktestRequest
from services.local.backtest.trade import ExitReason, Trade

Untraded = Literal["no_candle_after", "too_late", "position_open", "level_passed", "too_small"]
_OTHER: dict[TransactionType, TransactionType] = {"BUY": "SELL", "SELL": "BUY"}


@dataclass(frozen=True, slots=True)
class Traded:
    """The trades of one instrument, and how many signals were not traded, by reason."""

    trades: tuple[Trade, ...]
    untraded: Counter[Untraded] = field(default_factory=Counter)


class _Held(NamedTuple):
    """An order that was entered: prices in paise; it ends in row `last`, or at its open."""

    order: Order
    quantity: int
    entry: int
    exit: int
    last: int
    reason: ExitReason
    is_at_open: bool

    @property
    def is_whole(self) -> bool:
        """Whether the trade lasts to the close of its last candle."""
        return not (self.is_at_open or self.reason in ("stop_loss", "target"))


def trades_in_underlying(
    history: CandleHistory, signals: Sequence[StrategySignal], request: BacktestRequest
) -> Traded:
    """Trade an instrument's signals, oldest first, on its candles; one position at a time."""
    desk = _Desk(history, request)
    return Traded(desk.trades(signals), desk.untraded)


class _Desk:
    """Trades orders on a history by the rules of a request."""

    def __init__(self, history: CandleHistory, request: BacktestRequest) -> None:
        self.history, self.key = history, history.key
        self.untraded: Counter[Untraded] = Counter()
        self.is_index = is_index(history.tradingsymbol)
        self.is_overnight = request.is_overnight
        self.lowest = np.minimum(history.low, np.minimum(history.open, history.close))
        self.highest = np.maximum(history.high, np.maximum(history.open, history.close))
        self.at_risk = int(request.capital * request.risk * 100)
        self.most_cost = int(request.capital * request.max_position * 100)
        self.market = Market(request.slippage)

    def trades(self, signals: Sequence[StrategySignal]) -> tuple[Trade, ...]:
        """Return the trades of signals, oldest first."""
        overnight = [self._may_stay(signal) for signal in signals]
        orders = orders_of(self.history, signals, self.lowest, self.highest, overnight)
        held: list[_Held] = []
        free_from = 0
        for order in orders:
            entered = self._entered(order, free_from)
            if isinstance(entered, str):
                self.untraded[entered] += 1
                continue
            held.append(entered)
            free_from = entered.last + (entered.reason != "opposite_signal")
        reach = self._reach(held)
        return tuple(self._trade(one, *far) for one, far in zip(held, reach, strict=True))

    def _may_stay(self, signal: StrategySignal) -> bool:
        """Return whether a position may stay over night: no share can be owed at a day's end."""
        return self.is_overnight and (signal.action == "BUY" or self.is_index)

    def _entered(self, order: Order, free_from: int) -> _Held | Untraded:
        """Return the order with its entry and exit, or why it is not entered."""
        if order.row >= len(self.history):
            return "no_candle_after"
        if order.row < free_from:
            return "position_open"
        if order.is_late:
            return "too_late"
        signal = order.signal
        opened = self.history.open.item(order.row)
        entry = self.market.price(paise_of(opened), signal.action)
        if not _is_between(signal, opened, entry / 100):
            return "level_passed"
        distance = max(abs(entry - paise_of(signal.stop_loss)), 1)
        quantity = min(self.at_risk // distance, self.most_cost // entry)
        if quantity < 1:
            return "too_small"
        return self._held(order, quantity, entry)

    def _held(self, order: Order, quantity: int, entry: int) -> _Held:
        """Return how the trade ends: by its levels, stop before target, or else as ordered."""
        if order.hit is not None:
            return _Held(order, quantity, entry, *self._at_level(order.signal, order.hit))
        row = order.stop - order.is_at_close
        prices = self.history.close if order.is_at_close else self.history.open
        price = self._sold(order.signal, prices.item(row))
        return _Held(order, quantity, entry, price, row, order.reason, not order.is_at_close)

    def _at_level(self, signal: StrategySignal, row: int) -> tuple[int, int, ExitReason, bool]:
        """Return price, row and reason of an exit at a level, and whether it is at the open."""
        opened, stop, target = self.history.open.item(row), signal.stop_loss, signal.target
        is_long = signal.action == "BUY"
        if opened <= stop if is_long else opened >= stop:
            return self._sold(signal, opened), row, "stop_loss", True
        if opened >= target if is_long else opened <= target:
            return paise_of(opened), row, "target", True
        if self.lowest[row] <= stop if is_long else self.highest[row] >= stop:
            return self._sold(signal, stop), row, "stop_loss", False
        return paise_of(target), row, "target", False

    def _sold(self, signal: StrategySignal, price: float) -> int:
        """Return the price of the market order that ends a signal's position."""
        return self.market.price(paise_of(price), _OTHER[signal.action])

    def _reach(self, held: Sequence[_Held]) -> list[tuple[int, int]]:
        """Return how far each trade went against and for us, paise a unit.

        Of the candle in which a level was reached only the exit's price is known to be before it.
        """
        if not held:
            return []
        spans = [(one.order.row, one.last + one.is_whole) for one in held]
        lows = self._extremes(np.minimum, self.lowest, spans)
        highs = self._extremes(np.maximum, self.highest, spans)
        reach = []
        for one, (start, stop), low, high in zip(held, spans, lows, highs, strict=True):
            prices = (one.exit, paise_of(low), paise_of(high)) if stop > start else (one.exit,)
            down, up = max(one.entry - min(prices), 0), max(max(prices) - one.entry, 0)
            reach.append((down, up) if one.order.signal.action == "BUY" else (up, down))
        return reach

    def _extremes(
        self, kind: np.ufunc, prices: np.ndarray, spans: Sequence[tuple[int, int]]
    ) -> list[float]:
        """Return the lowest or highest price of each span of rows."""
        bounds = np.array(spans).ravel()
        found: list[float] = kind.reduceat(np.append(prices, prices[-1]), bounds)[::2].tolist()
        return found

    def _trade(self, held: _Held, adverse: int, favourable: int) -> Trade:
        signal, history = held.order.signal, self.history
        exited_ms = (history.opened_ms if held.is_at_open else history.closes_ms).item(held.last)
        return Trade(
            signal_id=signal.event_id,
            strategy=signal.strategy,
            instrument=self.key,
            action=signal.action,
            exchange=history.exchange,
            tradingsymbol=history.tradingsymbol,
            transaction_type=signal.action,
            quantity=held.quantity,
            entered_ms=history.opened_ms.item(held.order.row),
            entry_price=rupees_of(held.entry),
            exited_ms=exited_ms if held.is_at_open else exited_ms - 1,
            exit_price=rupees_of(held.exit),
            reason=held.reason,
            charges=rupees_of(self._charges(held)),
            adverse=rupees_of(adverse),
            favourable=rupees_of(favourable),
        )

    def _charges(self, held: _Held) -> int:
        """Return the charges of both sides in paise, each at the rates of its day."""
        days, exchange = self.history.trading_day, self.history.exchange
        entered, exited = cast(date, days.item(held.order.row)), cast(date, days.item(held.last))
        product: Product = "intraday" if entered == exited else "delivery"
        product = "future" if self.is_index else product
        side = held.order.signal.action
        opening = whole_rates(product, exchange, entered, side)
        closing = whole_rates(product, exchange, exited, _OTHER[side])
        return charges_in_paise(opening, held.quantity * held.entry) + charges_in_paise(
            closing, held.quantity * held.exit
        )


def _is_between(signal: StrategySignal, opened: float, entry: float) -> bool:
    """Return whether the open and the price that we get are between stop loss and target."""
    if signal.action == "BUY":
        return signal.stop_loss < opened and entry < signal.target
    return opened < signal.stop_loss and signal.target < entry
