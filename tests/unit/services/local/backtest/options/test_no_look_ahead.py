"""What comes after a trade's exit changes nothing of it."""

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from services.local.backtest.options.rules import OptionRules, PriceModel
from services.local.backtest.options.trading import trades_in_options
from services.local.backtest.result import BacktestRequest
from services.local.backtest.trade import Trade
from tests.proofs import examples
from tests.unit.services.local.backtest.options.builders import (
    crossings,
    cut,
    random_history,
    trading_days,
)


@examples(6)
@given(
    seed=st.integers(0, 10_000), is_overnight=st.booleans(), place=st.floats(0, 1, exclude_max=True)
)
def test_history_cut_after_an_exit_gives_the_same_trades_until_then(
    seed: int, is_overnight: bool, place: float
) -> None:
    history = random_history(seed, trading_days(date(2024, 6, 5), 12), 0.003)
    signals = crossings(history)
    request = BacktestRequest("ma_crossover", trades_in="options", is_overnight=is_overnight)
    rules = OptionRules(model=PriceModel(least_days=2))

    def traded(count: int) -> tuple[Trade, ...]:
        shown = cut(history, count)
        end_ms = int(shown.closes_ms[-1])
        known = [one for one in signals if one.occurred_ms <= end_ms]
        return trades_in_options(
            request, [shown], known, load_rulebook(), load_calendar(), rules=rules
        )

    whole = traded(len(history))
    assert whole
    exited_ms = whole[int(place * len(whole))].exited_ms
    # An exit at an open needs the candle that opens then; any other one, those that closed.
    candle = int(np.searchsorted(history.opened_ms, exited_ms, side="right"))
    expected = [trade for trade in whole if trade.exited_ms <= exited_ms]
    assert [trade for trade in traded(candle) if trade.exited_ms <= exited_ms] == expected
