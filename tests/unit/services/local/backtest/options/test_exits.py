"""Each reason for an exit, and the order of events within a candle."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, time
from decimal import Decimal

import numpy as np

from libs.events.signals import StrategySignal
from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from services.executor.domain.policy import LevelRules, Policy
from services.executor.domain.sizing import levels_of
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.options.exits import Due, Path, exit_of
from services.local.backtest.options.rules import OptionRules, PriceModel
from services.local.backtest.options.trading import OptionTrades, option_trades
from services.local.backtest.result import BacktestRequest
from services.local.backtest.trade import Trade
from services.position.domain.exit_rules.settings import ExitSettings
from tests.unit.services.local.backtest.options.builders import (
    DAY,
    Bar,
    at,
    flat,
    history,
    signal,
)

RULES = OptionRules(model=PriceModel(volatility=0.15))
NEXT = date(2024, 6, 20)
SPOT = 23_500.0
TICK = Decimal("0.05")
STANDARD = Policy().profile_named("standard")


def run(
    candles: CandleHistory,
    signals: Sequence[StrategySignal],
    is_overnight: bool = False,
    rules: OptionRules = RULES,
) -> OptionTrades:
    request = BacktestRequest("ma_crossover", trades_in="options", is_overnight=is_overnight)
    return option_trades(request, [candles], signals, load_rulebook(), load_calendar(), rules=rules)


def with_bar(number: int, bar: Bar, day: date = DAY) -> CandleHistory:
    """A day without movement but for one candle."""
    bars = flat(SPOT)
    bars[number] = bar
    return history({day: bars})


def only(made: OptionTrades) -> Trade:
    (trade,) = made.trades
    return trade


def test_a_stop_inside_a_candle_sells_at_its_price() -> None:
    candles = with_bar(5, (SPOT, SPOT, SPOT - 200, SPOT))
    trade = only(run(candles, [signal(candles, 2)]))
    assert trade.reason == "stop_loss"
    assert trade.exited_ms == int(candles.closes_ms[5])
    assert trade.exit_price == levels_of(trade.entry_price, TICK, STANDARD).stop_loss
    assert trade.adverse == trade.entry_price - trade.exit_price


def test_a_put_is_stopped_by_the_high() -> None:
    candles = with_bar(5, (SPOT, SPOT + 200, SPOT, SPOT))
    trade = only(run(candles, [signal(candles, 2, "SELL")]))
    assert trade.tradingsymbol.endswith("PE")
    assert (trade.reason, trade.exited_ms) == ("stop_loss", int(candles.closes_ms[5]))


def test_an_open_beyond_the_stop_sells_at_the_open() -> None:
    candles = with_bar(5, (SPOT - 300, SPOT, SPOT - 300, SPOT))
    trade = only(run(candles, [signal(candles, 2)]))
    assert trade.reason == "stop_loss"
    assert trade.exited_ms == int(candles.opened_ms[5])
    assert trade.exit_price < trade.entry_price / 2


def test_a_target_inside_a_candle_sells_at_its_price_and_an_open_beyond_it_at_the_open() -> None:
    inside = with_bar(5, (SPOT, SPOT + 300, SPOT, SPOT))
    beyond = with_bar(5, (SPOT + 300, SPOT + 300, SPOT, SPOT))
    first, second = (only(run(candles, [signal(candles, 2)])) for candles in (inside, beyond))
    assert (first.reason, second.reason) == ("target", "target")
    assert first.exit_price == levels_of(first.entry_price, TICK, STANDARD).target
    assert second.exit_price > first.exit_price
    assert second.exited_ms == int(beyond.opened_ms[5])


def test_the_stop_comes_first_where_a_candle_reaches_both() -> None:
    candles = with_bar(5, (SPOT, SPOT + 300, SPOT - 300, SPOT + 300))
    assert only(run(candles, [signal(candles, 2)])).reason == "stop_loss"
    assert only(run(candles, [signal(candles, 2, "SELL")])).reason == "stop_loss"


def test_an_opposite_signal_sells_at_the_open_that_follows_it_and_buys_the_other_option() -> None:
    candles = history({DAY: flat(SPOT)})
    made = run(candles, [signal(candles, 2), signal(candles, 4, "SELL")])
    first, second = made.trades
    assert (first.reason, first.exited_ms) == ("opposite_signal", int(candles.opened_ms[5]))
    assert second.entered_ms == first.exited_ms
    assert (first.tradingsymbol[-2:], second.tradingsymbol[-2:]) == ("CE", "PE")


def test_a_second_signal_of_the_same_side_is_refused_by_the_executors_limit() -> None:
    candles = history({DAY: flat(SPOT)})
    made = run(candles, [signal(candles, 2), signal(candles, 4)])
    assert len(made.trades) == 1
    assert made.refusals == {"positions_per_underlying": 1}


def test_the_day_ends_at_the_square_off_time_of_the_settings() -> None:
    candles = history({DAY: flat(SPOT)})
    one = [signal(candles, 2)]
    trade = only(run(candles, one))
    assert (trade.reason, trade.exited_ms) == ("square_off", at(15, 15))
    earlier = ExitSettings(square_off=time(14, 50))
    trade = only(run(candles, one, rules=replace(RULES, exits=earlier)))
    assert (trade.reason, trade.exited_ms) == ("square_off", at(15, 0))


def test_overnight_a_contract_is_sold_before_it_expires() -> None:
    candles = history({DAY: flat(SPOT), NEXT: flat(SPOT)})
    policy = Policy(levels=LevelRules(stop=Decimal("0.95")))
    rules = replace(RULES, policy=policy)
    trade = only(run(candles, [signal(candles, 20)], is_overnight=True, rules=rules))
    assert trade.reason == "expiry"
    assert trade.exited_ms == at(14, 30, NEXT)


def test_what_is_open_at_the_end_of_the_candles_is_sold_at_the_last_close() -> None:
    candles = history({DAY: flat(SPOT, 10)})
    trade = only(run(candles, [signal(candles, 2)]))
    assert (trade.reason, trade.exited_ms) == ("end_of_data", int(candles.closes_ms[9]))


def test_a_day_whose_candles_end_early_ends_the_trade_also_when_days_follow() -> None:
    candles = history({DAY: flat(SPOT, 10), NEXT: flat(SPOT)})
    trade = only(run(candles, [signal(candles, 2)]))
    assert (trade.reason, trade.exited_ms) == ("end_of_data", int(candles.closes_ms[9]))


def test_a_candle_over_the_square_off_time_ends_the_trade_at_its_close() -> None:
    candles = history({DAY: flat(SPOT, 24)})
    trade = only(run(candles, [signal(candles, 2)]))
    assert (trade.reason, trade.exited_ms) == ("square_off", at(15, 15))
    hours = history({DAY: flat(SPOT, 6)}, interval="60m")
    trade = only(run(hours, [signal(hours, 1)]))
    assert (trade.reason, trade.exited_ms) == ("square_off", at(15, 15))


def test_a_signal_without_a_further_candle_is_not_traded() -> None:
    candles = history({DAY: flat(SPOT, 5)})
    made = run(candles, [signal(candles, 4)])
    assert (made.trades, made.refusals) == ((), {"no_next_candle": 1})


def test_the_executors_reasons_are_counted() -> None:
    candles = history({DAY: flat(SPOT), NEXT: flat(SPOT)})
    signals = [
        signal(candles, 2, confidence=0.1),
        signal(candles, 3, expected_move=0.2),
        signal(candles, 22),
        signal(candles, 24),
        signal(candles, 25 + 20),
    ]
    assert run(candles, signals).refusals == {
        "low_confidence": 1,
        "low_expected_move": 1,
        "too_late_in_the_day": 1,
        "stale": 1,
        "expiry_is_near": 1,
    }


def path(bids: list[int], quotes: list[bool]) -> Path:
    count = len(bids)
    return Path(
        at_ms=np.arange(count) * 1000,
        bid=np.array(bids),
        is_quote=np.array(quotes),
        is_close=np.array([not one for one in quotes]),
        day=np.full(count, np.datetime64(DAY)),
    )


def test_what_is_due_at_a_price_beyond_a_level_is_an_exit_by_the_level() -> None:
    due = Due(1000, np.datetime64(DAY), "square_off")
    sold = exit_of(path([100, 60, 10], [True, True, True]), 70, 160, [due])
    assert (sold.point, sold.bid, sold.reason) == (1, 60, "stop_loss")


def test_extremes_end_with_the_exit() -> None:
    sold = exit_of(path([100, 90, 170, 20], [True, False, False, False]), 70, 160, [])
    assert sold[1:] == (160, "target", 90, 160)


def test_nothing_after_what_is_due_counts() -> None:
    due = Due(500, np.datetime64(DAY), "opposite_signal")
    sold = exit_of(path([100, 110, 10], [True, True, False]), 70, 160, [due])
    assert sold[1:] == (110, "opposite_signal", 100, 110)


def test_marks_are_the_bids_at_closes_while_the_trade_is_open() -> None:
    candles = history({DAY: flat(SPOT)})
    made = run(candles, [signal(candles, 2), signal(candles, 4, "SELL")])
    marks = made.marks[0]
    assert marks.at_ms.tolist() == candles.closes_ms[3:5].tolist()
    assert (marks.price < float(made.trades[0].entry_price)).all()
