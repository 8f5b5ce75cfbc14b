"""Trades in options equal a plain recomputation to the paisa, on random and on real candles."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.signals import StrategySignal
from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.options.rules import OptionRules, PriceModel
from services.local.backtest.options.trading import OptionTrades, option_trades
from services.local.backtest.result import BacktestRequest
from tests.proofs import examples
from tests.unit.services.local.backtest.options.builders import (
    crossings,
    random_history,
    recorded_candles,
    trading_days,
)
from tests.unit.services.local.backtest.options.plain import Plain, Result, result_of, rows_of

RULEBOOK, CALENDAR = load_rulebook(), load_calendar()


def traded(
    history: CandleHistory,
    signals: list[StrategySignal],
    is_overnight: bool,
    volatility: float | None = None,
) -> OptionTrades:
    request = BacktestRequest("ma_crossover", trades_in="options", is_overnight=is_overnight)
    rules = OptionRules(model=PriceModel(volatility=volatility))
    return option_trades(request, [history], signals, RULEBOOK, CALENDAR, rules=rules)


def plainly(
    history: CandleHistory,
    signals: list[StrategySignal],
    made: OptionTrades,
    is_overnight: bool,
    volatility: float | None = None,
) -> list[Result]:
    rows = rows_of(history)
    name = signals[0].underlying if signals else "NIFTY"
    lots_unknown = {
        number for number, why in made.refused.items() if why.reason == "lot_size_unknown"
    }
    plain = Plain(
        rows=rows,
        signals=signals,
        trades={trade.signal_id: trade for trade in made.trades},
        expiries={row.day: expiry_of(name, row.day) for row in rows},
        lots_unknown=lots_unknown,
        is_overnight=is_overnight,
        volatility=volatility,
    )
    return list(plain.results())


def expiry_of(name: str, day: date) -> date:
    return RULEBOOK.expiries(name, day, CALENDAR, 1)[0].date


@examples(10)
@given(
    seed=st.integers(0, 10_000),
    move=st.sampled_from([0.001, 0.003, 0.006]),
    is_overnight=st.booleans(),
    volatility=st.sampled_from([None, 0.13, 0.4]),
    first=st.sampled_from([date(2024, 4, 15), date(2024, 9, 20), date(2024, 12, 12)]),
)
def test_random_candles_give_the_trades_of_a_plain_recomputation(
    seed: int, move: float, is_overnight: bool, volatility: float | None, first: date
) -> None:
    history = random_history(seed, trading_days(first, 14), move)
    signals = crossings(history)
    made = traded(history, signals, is_overnight, volatility)
    expected = plainly(history, signals, made, is_overnight, volatility)
    assert [result_of(trade) for trade in made.trades] == expected


@pytest.mark.parametrize(
    ("name", "tradingsymbol", "is_overnight"),
    [("NIFTYBANK", "NIFTY BANK", False), ("NIFTYFINSERVICE", "NIFTY FIN SERVICE", True)],
)
def test_real_candles_give_the_trades_of_a_plain_recomputation(
    name: str, tradingsymbol: str, is_overnight: bool
) -> None:
    history = recorded_candles(f"{name}_2024-04_2025-03.csv.gz", tradingsymbol)
    signals = crossings(history, 9, 21)
    made = traded(history, signals, is_overnight)
    assert len(made.trades) > 150
    expected = plainly(history, signals, made, is_overnight)
    assert [result_of(trade) for trade in made.trades] == expected
