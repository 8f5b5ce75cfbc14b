"""opening_range_breakout: its rule by examples, and a year of recorded candles."""

import numpy as np
import pandas as pd
import pytest

from libs.strategy.harness import make_candles
from services.strategy.domain.strategies.opening_range_breakout import OpeningRangeBreakout
from tests.unit.services.strategy.strategies.recorded import (
    Recorded,
    assert_same,
    expected,
    fed,
    frame_of,
)

Row = tuple[float, float, float, float]
Signal = tuple[str, float, float, float]

RANGE: list[Row] = [(100, 104, 99, 103), (103, 105, 98, 100)]  # 98 to 105 in the first 30 minutes
UP: Row = (104, 107, 103, 106)
DOWN: Row = (99, 100, 96, 97)
WITHIN: Row = (100, 106, 97, 101)
BOUGHT: Signal = ("BUY", 106, 98, 122)
SOLD: Signal = ("SELL", 97, 105, 81)

EXAMPLES: dict[str, tuple[list[Row], list[Signal]]] = {
    "a close above the range buys, its low is the stop": ([*RANGE, UP], [BOUGHT]),
    "a close below the range sells, its high is the stop": ([*RANGE, DOWN], [SOLD]),
    "a high or low outside with a close within is no break": ([*RANGE, WITHIN], []),
    "a close at the end of the range is no break": ([*RANGE, (100, 105, 100, 105)], []),
    "nothing breaks the range while it forms": ([(100, 104, 99, 103), (103, 108, 102, 108)], []),
    "the first close outside counts, also later in the session": (
        [*RANGE, WITHIN, WITHIN, UP],
        [BOUGHT],
    ),
    "a direction signals once a session": ([*RANGE, UP, WITHIN, UP], [BOUGHT]),
    "each direction has its own signal": ([*RANGE, UP, DOWN, UP, DOWN], [BOUGHT, SOLD]),
}


@pytest.mark.parametrize(("rows", "wanted"), EXAMPLES.values(), ids=EXAMPLES.keys())
def test_its_rule(rows: list[Row], wanted: list[Signal]) -> None:
    made = fed(OpeningRangeBreakout(history_needed=0), make_candles(rows))
    assert [(one.action, one.price, one.stop_loss, one.target) for one in made] == wanted


def test_each_session_has_its_own_range_and_signals() -> None:
    # Seven candles of 60 minutes are a session, and the first one is its range.
    first: list[Row] = [RANGE[0], (104, 105, 103, 105), *[WITHIN] * 5]
    second: list[Row] = [(200, 204, 199, 203), (203, 205, 202, 204.5)]
    candles = make_candles(first + second, "60m")
    made = fed(OpeningRangeBreakout(interval="60m", history_needed=0), candles)
    assert [(one.action, one.price, one.stop_loss) for one in made] == [
        ("BUY", 105, 99),
        ("BUY", 204.5, 199),
    ]


def test_its_signals_are_the_first_closes_outside_the_range_by_pandas(market: Recorded) -> None:
    frame = market.frame
    close, day = frame["close"], frame["day"]
    minutes = (frame["timestamp"] - day) // pd.Timedelta(minutes=1) - (9 * 60 + 15)
    in_range = minutes < 30
    highest = frame["high"].where(in_range).groupby(day).transform("max")
    lowest = frame["low"].where(in_range).groupby(day).transform("min")
    above, below = ~in_range & (close > highest), ~in_range & (close < lowest)
    buys = above & (above.groupby(day).cumsum() == 1)
    sells = below & (below.groupby(day).cumsum() == 1)
    stop_loss = pd.Series(np.where(buys, lowest, highest))
    theirs = expected(
        frame,
        buys=buys,
        sells=sells,
        history=50,
        price=close,
        stop_loss=stop_loss,
        target=close + 2 * (close - stop_loss),
    )
    ours = frame_of(fed(OpeningRangeBreakout(), market.candles))
    assert_same(ours, theirs, least=200)
