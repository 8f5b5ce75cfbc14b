"""Trades of the underlying: equal to those computed anew, to the paisa, and examples in words."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.signals import StrategySignal
from services.local.backtest.candles.files import read_candles
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.result import BacktestRequest
from services.local.backtest.run import run_backtest
from services.local.backtest.trade import Trade
from services.local.backtest.underlying import trades_in_underlying
from services.strategy.finding import known_strategies
from tests.unit.services.local.backtest.made import (
    Silent,
    history_of,
    random_history,
    random_signals,
)
from tests.unit.services.local.backtest.naive import Row, naive_trades

NO_SLIPPAGE = BacktestRequest("silent", slippage=Decimal(0))


def as_rows(trades: Sequence[Trade]) -> list[Row]:
    return [
        (
            one.transaction_type,
            one.quantity,
            one.entered_ms,
            one.entry_price,
            one.exited_ms,
            one.exit_price,
            one.reason,
            one.charges,
            one.net,
        )
        for one in trades
    ]


@given(
    seed=st.integers(0, 10_000),
    one_in=st.integers(1, 12),
    symbol=st.sampled_from(["RELIANCE", "NIFTY BANK"]),
    is_overnight=st.booleans(),
    slippage=st.sampled_from(["0", "0.0002", "0.01"]),
    capital=st.sampled_from([50, 9_999, 1_000_000]),
)
def test_trades_equal_those_computed_candle_by_candle(
    seed: int, one_in: int, symbol: str, is_overnight: bool, slippage: str, capital: int
) -> None:
    request = BacktestRequest(
        "silent",
        is_overnight=is_overnight,
        slippage=Decimal(slippage),
        capital=Decimal(capital),
    )
    history = random_history(seed, 260, symbol=symbol)
    signals = random_signals(seed + 1, history, one_in)
    traded = trades_in_underlying(history, signals, request)
    assert as_rows(traded.trades) == naive_trades(history, signals, request)
    assert len(traded.trades) + sum(traded.untraded.values()) == len(signals)


@pytest.mark.parametrize("is_overnight", [False, True])
def test_trades_of_a_recorded_year_equal_those_computed_candle_by_candle(
    recorded_candles: Path, is_overnight: bool
) -> None:
    request = BacktestRequest("ma_crossover", is_overnight=is_overnight)
    histories = [one for one in read_candles([recorded_candles]) if one.tradingsymbol != "INFY"]
    histories = [usual_days(one) for one in histories]
    result = run_backtest(request, histories, known_strategies())
    assert len(result.trades) > 600
    for history in histories:
        mine = [one for one in result.trades if one.instrument == history.key]
        theirs = [one for one in result.signals if one.tradingsymbol == history.tradingsymbol]
        assert as_rows(mine) == naive_trades(history, theirs, request)


def usual_days(history: CandleHistory) -> CandleHistory:
    """Leave out the days with other hours, which the recomputation does not know."""
    special = np.array(["2024-05-18", "2024-11-01"], "datetime64[D]")
    kept = ~np.isin(history.trading_day, special)
    columns = {
        name: getattr(history, name)[kept]
        for name in CandleHistory.__slots__
        if isinstance(getattr(history, name), np.ndarray)
    }
    return CandleHistory(history.exchange, history.tradingsymbol, history.interval, **columns)


def buy(
    history: CandleHistory, row: int = 0, stop: float = 95.0, target: float = 110.0
) -> StrategySignal:
    candle = list(history.candles())[row]
    return Silent().buy(candle, stop_loss=stop, target=target, confidence=0.9)


def sell(history: CandleHistory, row: int = 0) -> StrategySignal:
    candle = list(history.candles())[row]
    return Silent().sell(candle, stop_loss=105.0, target=90.0, confidence=0.9)


def only(history: CandleHistory, *signals: StrategySignal) -> Trade:
    (trade,) = trades_in_underlying(history, signals, NO_SLIPPAGE).trades
    return trade


def test_a_signal_is_entered_at_the_next_open_and_never_in_its_own_candle() -> None:
    history = history_of([[100, 120, 80, 100], [101, 102, 100, 101], [101, 111, 100, 110]])
    trade = only(history, buy(history))
    assert trade.entry_price == 101
    assert trade.entered_ms == history.opened_ms[1]
    assert (trade.exit_price, trade.reason) == (Decimal(110), "target")


def test_where_both_levels_lie_in_one_candle_the_stop_is_taken() -> None:
    history = history_of([100, 100, [100, 120, 90, 100]])
    trade = only(history, buy(history))
    assert (trade.exit_price, trade.reason) == (Decimal(95), "stop_loss")


def test_an_open_beyond_a_level_fills_at_the_open() -> None:
    down = history_of([100, 100, [90, 120, 85, 100]])
    up = history_of([100, 100, [115, 120, 85, 100]])
    assert (only(down, buy(down)).exit_price, only(down, buy(down)).reason) == (
        Decimal(90),
        "stop_loss",
    )
    assert (only(up, buy(up)).exit_price, only(up, buy(up)).reason) == (Decimal(115), "target")


def test_an_opposite_signal_exits_at_the_next_open_and_turns_the_position() -> None:
    history = history_of([100, 100, 100, 101, 101])
    first, second = trades_in_underlying(
        history, [buy(history), sell(history, 2)], NO_SLIPPAGE
    ).trades
    assert (first.exit_price, first.reason) == (Decimal(101), "opposite_signal")
    assert (second.entry_price, second.entered_ms) == (Decimal(101), first.exited_ms)


def test_all_is_squared_off_at_a_quarter_past_three() -> None:
    history = history_of([100.0] * 24 + [103.0] * 2)
    trade = only(history, buy(history))
    assert (trade.exit_price, trade.reason) == (Decimal(103), "square_off")
    assert trade.exited_ms == history.opened_ms[24]


def test_nothing_is_entered_after_three_or_on_the_next_day() -> None:
    history = history_of([100.0] * 30)
    late = [buy(history, row) for row in (22, 23, 24)]
    traded = trades_in_underlying(history, late, NO_SLIPPAGE)
    assert traded.trades == ()
    assert traded.untraded == {"too_late": 3}


def test_a_share_is_kept_over_night_but_never_owed() -> None:
    history = history_of([100.0] * 30)
    overnight = BacktestRequest("silent", slippage=Decimal(0), is_overnight=True)
    (long,) = trades_in_underlying(history, [buy(history)], overnight).trades
    (short,) = trades_in_underlying(history, [sell(history)], overnight).trades
    assert (long.reason, short.reason) == ("end_of_data", "square_off")


def test_slippage_makes_each_market_order_worse_and_a_target_none() -> None:
    history = history_of([100, 100, [100, 111, 100, 110]])
    request = BacktestRequest("silent", slippage=Decimal("0.001"))
    (trade,) = trades_in_underlying(history, [buy(history)], request).trades
    assert (trade.entry_price, trade.exit_price) == (Decimal("100.10"), Decimal("110.00"))


def test_the_size_is_what_may_be_lost_at_the_stop_and_no_more_than_the_capital_buys() -> None:
    history = history_of([100.0] * 3)
    wide, near = buy(history, stop=90.0), buy(history, stop=99.9)
    assert only(history, wide).quantity == 2000
    assert only(history, near).quantity == 10_000


def test_the_farthest_prices_are_told_a_unit() -> None:
    history = history_of([100, [100, 104, 97, 100], [100, 111, 99, 110]])
    trade = only(history, buy(history))
    assert (trade.adverse, trade.favourable) == (Decimal(3), Decimal(10))
