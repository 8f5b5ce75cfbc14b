"""Signals to trades in options, and why the others were not traded."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from libs.events.event import ms_from_utc
from libs.events.signals import StrategySignal
from libs.market.arrays import FloatArray
from libs.market.calendar import Calendar
from libs.market.rulebook import Rulebook
from services.executor.domain.policy import Refusal
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.errors import BacktestError
from services.local.backtest.options.chains import RecordedChains
from services.local.backtest.options.desk import Desk, Done, Marks, Order
from services.local.backtest.options.exits import Due
from services.local.backtest.options.model import volatility_by_candle
from services.local.backtest.options.rules import OptionRules
from services.local.backtest.result import BacktestRequest
from services.local.backtest.trade import Trade


@dataclass(frozen=True, slots=True)
class OptionTrades:
    """Trades by entry, then symbol; `marks` has an element for each, `refused` the other signals.

    A refusal has the executor's reason, or one of the backtest: no_next_candle, not_in_rulebook,
    day_not_in_calendar, lot_size_unknown, strike_step_unknown, volatility_unknown.
    """

    trades: tuple[Trade, ...]
    marks: tuple[Marks, ...]
    refused: Mapping[UUID, Refusal]

    @property
    def refusals(self) -> Counter[str]:
        """How many signals were refused, by reason."""
        return Counter(refusal.reason for refusal in self.refused.values())


def trades_in_options(
    request: BacktestRequest,
    histories: Sequence[CandleHistory],
    signals: Sequence[StrategySignal],
    rulebook: Rulebook,
    calendar: Calendar,
    chains: RecordedChains | None = None,
    *,
    rules: OptionRules | None = None,
) -> tuple[Trade, ...]:
    """Return the trades alone; see `option_trades`."""
    given = rules or OptionRules()
    return option_trades(
        request, histories, signals, rulebook, calendar, chains, rules=given
    ).trades


def option_trades(
    request: BacktestRequest,
    histories: Sequence[CandleHistory],
    signals: Sequence[StrategySignal],
    rulebook: Rulebook,
    calendar: Calendar,
    chains: RecordedChains | None = None,
    *,
    rules: OptionRules | None = None,
) -> OptionTrades:
    """Trade signals in options by the executor's rules, at recorded prices where there are any.

    Raises BacktestError for a signal on an instrument without candles, and for a capital that the
    executor does not take.
    """
    fitted = (rules or OptionRules()).of(request)
    recorded = chains or RecordedChains({})
    desk = Desk(fitted, rulebook, calendar, recorded, request.is_overnight)
    done: list[Done] = []
    refused: dict[UUID, Refusal] = {}
    for order in _orders(histories, signals, fitted):
        if not order.has_candle:
            outcome: tuple[Done, ...] | Refusal | None = Refusal("no_next_candle")
        else:
            outcome = desk.take(order)
        if isinstance(outcome, tuple):
            done += outcome
        elif outcome is not None:
            refused[order.signal.event_id] = outcome
    trades, marks = tuple(one.trade for one in done), tuple(one.marks for one in done)
    return OptionTrades(trades, marks, refused)


def _orders(
    histories: Sequence[CandleHistory], signals: Sequence[StrategySignal], rules: OptionRules
) -> list[Order]:
    """Return orders by time, then symbol."""
    of = {history.key: history for history in histories}
    volatility = {key: volatility_by_candle(history, rules.model) for key, history in of.items()}
    placed = [_placed(signal, of, volatility) for signal in signals]
    placed.sort(key=lambda one: (one.signal.candle_closed_at, one.history.key))
    return sorted(_with_opposites(placed), key=lambda one: (one.at_ms, one.history.key))


def _placed(
    signal: StrategySignal, of: Mapping[str, CandleHistory], volatility: Mapping[str, FloatArray]
) -> Order:
    key = f"{signal.exchange}:{signal.tradingsymbol}"
    if key not in of:
        raise BacktestError(f"there are signals on {key}, and no candles of it")
    closed_ms = ms_from_utc(signal.candle_closed_at)
    candle = int(np.searchsorted(of[key].opened_ms, closed_ms))
    return Order(signal, of[key], volatility[key], candle)


def _with_opposites(placed: Sequence[Order]) -> list[Order]:
    """Give each signal the next opposite one of its strategy and instrument."""
    following: dict[tuple[str, str, str], Due] = {}
    orders: list[Order] = []
    for order in reversed(placed):
        signal, key = order.signal, order.history.key
        opposite = "SELL" if signal.action == "BUY" else "BUY"
        orders.append(order._replace(opposite=following.get((signal.strategy, key, opposite))))
        if order.has_candle:
            day = order.history.trading_day[order.candle]
            due = Due(order.at_ms, day, "opposite_signal")
            following[signal.strategy, key, signal.action] = due
    return orders[::-1]
