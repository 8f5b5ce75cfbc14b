"""Signals into trades of the underlying itself, by the fill model of docs/backtest.md. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NamedTuple

import numpy as np

from libs.events.event import ms_from_utc
from libs.events.signals import StrategySignal
from libs.market.charges import TransactionType
from libs.market.underlying_charges import Product, underlying_charges, underlying_rates
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.candles.naming import is_index
from services.local.backtest.candles.spans import DAY_MS, INDIA_MS
from services.local.backtest.fills import TICK, at_market, price_of
from services.local.backtest.result import BacktestRequest
from services.local.backtest.trade import ExitReason, Trade
from services.local.backtest.trading_hours import TradingHours, trading_hours

Untraded = Literal["no_candle_after", "too_late", "position_open", "level_passed", "too_small"]
_OTHER: dict[TransactionType, TransactionType] = {"BUY": "SELL", "SELL": "BUY"}


@dataclass(frozen=True, slots=True)
class Traded:
    """The trades of one instrument, and how many signals were not traded, by reason."""

    trades: tuple[Trade, ...]
    untraded: Counter[Untraded] = field(default_factory=Counter)


class _Order(NamedTuple):
    """A signal that is entered at the open of `row`; of the opposite one that follows, `until`."""

    signal: StrategySignal
    row: int
    until: int


class _Exit(NamedTuple):
    """Where and at what price a trade ends; `is_at_open` of row, else within it."""

    row: int
    price: Decimal
    reason: ExitReason
    is_at_open: bool


def trades_in_underlying(
    history: CandleHistory, signals: Sequence[StrategySignal], request: BacktestRequest
) -> Traded:
    """Trade an instrument's signals, oldest first, on its candles; one position at a time."""
    desk = _Desk(history, request)
    trades, free_from = [], 0
    for order in _orders(history, signals):
        reason = desk.refusal(order, free_from)
        if reason is not None:
            desk.untraded[reason] += 1
            continue
        traded = desk.trade(order)
        if traded is not None:
            trade, end = traded
            trades.append(trade)
            free_from = end.row if end.reason == "opposite_signal" else end.row + 1
    return Traded(tuple(trades), desk.untraded)


def _orders(history: CandleHistory, signals: Sequence[StrategySignal]) -> list[_Order]:
    """Return each signal with the row after its candle and that of the next opposite signal."""
    closed = np.array([ms_from_utc(signal.candle_closed_at) for signal in signals], np.int64)
    rows: list[int] = np.searchsorted(history.opened_ms, closed).tolist()
    nearest = {"BUY": len(history), "SELL": len(history)}
    orders = []
    for signal, row in zip(reversed(signals), reversed(rows), strict=True):
        orders.append(_Order(signal, row, nearest[_OTHER[signal.action]]))
        nearest[signal.action] = row
    return orders[::-1]


class _Desk:
    """Trades orders on a history by the rules of a request."""

    def __init__(self, history: CandleHistory, request: BacktestRequest) -> None:
        self.history, self.request = history, request
        self.untraded: Counter[Untraded] = Counter()
        self.hours: TradingHours = trading_hours(history)
        self.is_index = is_index(history.tradingsymbol)
        self.lowest = np.minimum(history.low, np.minimum(history.open, history.close))
        self.highest = np.maximum(history.high, np.maximum(history.open, history.close))
        self.at_risk = request.capital * request.risk
        self.most_cost = request.capital * request.max_position

    def refusal(self, order: _Order, free_from: int) -> Untraded | None:
        """Return why a signal is not entered at the open of its row, before any price."""
        if order.row >= len(self.history):
            return "no_candle_after"
        if order.row < free_from:
            return "position_open"
        if not self._is_overnight(order.signal) and self._is_late(order):
            return "too_late"
        return None

    def trade(self, order: _Order) -> tuple[Trade, _Exit] | None:
        """Return the trade of an order, None where its levels are passed or it is too small."""
        signal, side = order.signal, order.signal.action
        opened = float(self.history.open[order.row])
        entry = at_market(price_of(opened), side, self.request.slippage)
        if not self._is_between(signal, opened, float(entry)):
            self.untraded["level_passed"] += 1
            return None
        quantity = self._quantity(entry, price_of(signal.stop_loss))
        if quantity < 1:
            self.untraded["too_small"] += 1
            return None
        end = self._exit(order)
        return self._trade(order, entry, quantity, end), end

    def _is_overnight(self, signal: StrategySignal) -> bool:
        """Return whether a position may stay over night: no share can be owed at a day's end."""
        return self.request.is_overnight and (signal.action == "BUY" or self.is_index)

    def _is_late(self, order: _Order) -> bool:
        opened_ms = int(self.history.opened_ms[order.row])
        closed_ms = ms_from_utc(order.signal.candle_closed_at)
        is_next_day = _day(opened_ms) > _day(closed_ms - 1)
        return is_next_day or opened_ms >= int(self.hours.last_entry_ms[order.row])

    def _is_between(self, signal: StrategySignal, opened: float, entry: float) -> bool:
        if signal.action == "BUY":
            return signal.stop_loss < opened and entry < signal.target
        return opened < signal.stop_loss and signal.target < entry

    def _quantity(self, entry: Decimal, stop_loss: Decimal) -> int:
        by_risk = self.at_risk // max(abs(entry - stop_loss), TICK)
        return int(min(by_risk, self.most_cost // entry))

    def _exit(self, order: _Order) -> _Exit:
        """Return how the trade ends: first the open of a row, then its levels, stop before target.

        At one open the square-off comes before the opposite signal, and both before the levels.
        """
        end, is_at_open, reason = self._day_end(order)
        stop = min(order.until, end if is_at_open else end + 1)
        hit = self._first_hit(order.signal, order.row, stop)
        if hit is not None:
            return self._at_level(order.signal, hit)
        if order.until < end or (order.until == end and not is_at_open):
            return self._at_market(order, order.until, "opposite_signal", is_at_open=True)
        return self._at_market(order, end, reason, is_at_open=is_at_open)

    def _day_end(self, order: _Order) -> tuple[int, bool, ExitReason]:
        if self._is_overnight(order.signal):
            return len(self.history) - 1, False, "end_of_data"
        row = order.row
        reason: ExitReason = "end_of_data" if self.hours.is_cut[row] else "square_off"
        return int(self.hours.end[row]), bool(self.hours.is_at_open[row]), reason

    def _first_hit(self, signal: StrategySignal, start: int, stop: int) -> int | None:
        """Return the first row of [start, stop) that reaches the stop loss or the target."""
        low, high = signal.stop_loss, signal.target
        if signal.action == "SELL":
            low, high = high, low
        for first, last in _chunks(start, stop):
            hits = (self.lowest[first:last] <= low) | (self.highest[first:last] >= high)
            at = int(hits.argmax())
            if hits[at]:
                return first + at
        return None

    def _at_level(self, signal: StrategySignal, row: int) -> _Exit:
        opened, side = float(self.history.open[row]), _OTHER[signal.action]
        is_long = signal.action == "BUY"
        past_stop = opened <= signal.stop_loss if is_long else opened >= signal.stop_loss
        past_target = opened >= signal.target if is_long else opened <= signal.target
        if past_target and not past_stop:
            return _Exit(row, price_of(opened), "target", is_at_open=True)
        touched = (
            self.lowest[row] <= signal.stop_loss
            if is_long
            else self.highest[row] >= signal.stop_loss
        )
        if touched:
            at = price_of(opened if past_stop else signal.stop_loss)
            price = at_market(at, side, self.request.slippage)
            return _Exit(row, price, "stop_loss", is_at_open=past_stop)
        return _Exit(row, price_of(signal.target), "target", is_at_open=False)

    def _at_market(self, order: _Order, row: int, reason: ExitReason, *, is_at_open: bool) -> _Exit:
        prices = self.history.open if is_at_open else self.history.close
        side = _OTHER[order.signal.action]
        price = at_market(price_of(float(prices[row])), side, self.request.slippage)
        return _Exit(row, price, reason, is_at_open)

    def _trade(self, order: _Order, entry: Decimal, quantity: int, end: _Exit) -> Trade:
        signal, history = order.signal, self.history
        entered_ms = int(history.opened_ms[order.row])
        times = history.opened_ms if end.is_at_open else history.closes_ms
        exited_ms = int(times[end.row]) - (0 if end.is_at_open else 1)
        adverse, favourable = self._reach(order, entry, end)
        return Trade(
            signal_id=signal.event_id,
            strategy=signal.strategy,
            instrument=history.key,
            action=signal.action,
            exchange=history.exchange,
            tradingsymbol=history.tradingsymbol,
            transaction_type=signal.action,
            quantity=quantity,
            entered_ms=entered_ms,
            entry_price=entry,
            exited_ms=exited_ms,
            exit_price=end.price,
            reason=end.reason,
            charges=self._charges(order, entry, quantity, end),
            adverse=adverse,
            favourable=favourable,
        )

    def _charges(self, order: _Order, entry: Decimal, quantity: int, end: _Exit) -> Decimal:
        """Return the charges of both sides, each at the rates of its day."""
        days = self.history.trading_day
        entered, exited = days[order.row].item(), days[end.row].item()
        product: Product = "intraday" if entered == exited else "delivery"
        product = "future" if self.is_index else product
        side = order.signal.action
        total = Decimal(0)
        for on, kind, price in ((entered, side, entry), (exited, _OTHER[side], end.price)):
            rates = underlying_rates(product, self.history.exchange, on).value
            total += underlying_charges(rates, kind, quantity * price).total
        return total

    def _reach(self, order: _Order, entry: Decimal, end: _Exit) -> tuple[Decimal, Decimal]:
        """Return how far the price went against and for the trade.

        Of the candle in which a level was reached only the exit's price is known to be before it.
        """
        is_whole = not (end.is_at_open or end.reason in ("stop_loss", "target"))
        stop = end.row + 1 if is_whole else end.row
        low = high = end.price
        if stop > order.row:
            low = min(low, price_of(float(self.lowest[order.row : stop].min())))
            high = max(high, price_of(float(self.highest[order.row : stop].max())))
        down, up = max(entry - low, Decimal(0)), max(high - entry, Decimal(0))
        return (down, up) if order.signal.action == "BUY" else (up, down)


def _chunks(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield parts of a range, each four times as long as the one before."""
    length = 32
    while start < stop:
        yield start, min(start + length, stop)
        start, length = start + length, length * 4


def _day(at_ms: int) -> int:
    return (at_ms + INDIA_MS) // DAY_MS
