"""ema5_alert_candle: each sentence of its rule by an example, and a year of recorded candles."""

from itertools import groupby

import numpy as np
import pandas as pd
import pytest

from libs.events.candles import Interval
from libs.strategy.harness import make_candles
from services.strategy.domain.strategies.ema5_alert_candle import Ema5AlertCandle, confidence
from tests.unit.services.strategy.strategies.recorded import (
    Recorded,
    assert_same,
    epoch_ms,
    fed,
    frame_of,
)

Row = tuple[float, float, float, float]
Signal = tuple[str, float, float, float]

FLAT: Row = (100, 100, 100, 100)  # the EMA is 100
ABOVE: Row = (105.5, 107, 105, 106)  # the EMA is 102 after it
BELOW: Row = (94.5, 95, 93, 94)  # the EMA is 98 after it
BREAKS_LOW: Row = (105.5, 106, 104, 104.5)
SOLD: Signal = ("SELL", 105, 107, 99)
# ABOVE, then up and away from it, then a candle wholly below the EMA: both alerts wait.
BOTH = [FLAT, ABOVE, (108, 115, 107.5, 114), (115, 125, 114, 124), (125, 126, 124, 125)]
BOTH.append((112, 113, 110, 111))

EXAMPLES: dict[str, tuple[list[Row], list[Signal]]] = {
    "a break of the low of a candle wholly above the average sells at that low": (
        [FLAT, ABOVE, BREAKS_LOW],
        [SOLD],
    ),
    "a break of the high of a candle wholly below the average buys at that high": (
        [FLAT, BELOW, (95, 96, 94.2, 95.5)],
        [("BUY", 95, 93, 101)],
    ),
    "a touch of the level is no break": ([FLAT, ABOVE, (105.5, 106, 105, 105.5)], []),
    "a candle that opens beyond the level enters at the level": (
        [FLAT, ABOVE, (103, 103.5, 102.5, 103)],
        [SOLD],
    ),
    "the next candle wholly above takes the place of the alert": (
        [FLAT, ABOVE, (106, 106.5, 105.2, 105.4), (105.5, 106, 105.1, 105.2)],
        [("SELL", 105.2, 106.5, 101.3)],
    ),
    "a candle wholly above that breaks the high of the alert leaves it": (
        [FLAT, ABOVE, (106, 108, 105.5, 107), (105.6, 106, 104.9, 105)],
        [("SELL", 105, 108, 96)],
    ),
    "the low of a candle that left the alert is no level": (
        [FLAT, ABOVE, (106, 108, 105.5, 107), (105.6, 106, 105.4, 105.5)],
        [],
    ),
    "a candle wholly below that breaks the low of the alert leaves it": (
        [FLAT, BELOW, (94, 94.5, 92, 93), (94.4, 95.1, 94, 95)],
        [("BUY", 95, 92, 104)],
    ),
    "a candle on neither side leaves the alert": (
        [FLAT, BELOW, (94, 94.9, 93.5, 94.5), (94.6, 94.9, 94.1, 94.8), (94.6, 95, 94.5, 95)],
        [("BUY", 94.9, 94.1, 97.3)],
    ),
    "an alert gives one entry": (
        [FLAT, ABOVE, (103, 106, 101, 102), (103, 104, 100.5, 103)],
        [SOLD],
    ),
    "the entry candle may itself be the next alert": (
        [FLAT, ABOVE, BREAKS_LOW, (104, 105, 103.5, 104)],
        [SOLD, ("SELL", 104, 106, 98)],
    ),
    "less than the gap is no alert": (
        [FLAT, (100.2, 100.4, 100.12, 100.3), (100.2, 100.3, 99.9, 100)],
        [],
    ),
    "the gap or more is an alert": (
        [FLAT, (100.2, 100.4, 100.16, 100.3), (100.2, 100.3, 99.9, 100)],
        [("SELL", 100.16, 100.4, 99.44)],
    ),
    "a SELL and a BUY alert wait at the same time": (
        [*BOTH, (112, 114, 111, 113.5), (108, 109, 104, 105)],
        [("BUY", 113, 110, 122), ("SELL", 105, 114, 78)],
    ),
    "of two levels that one candle breaks the one nearer to its open is entered": (
        [*BOTH, (112, 114, 104, 110)],
        [("BUY", 113, 104, 140)],
    ),
    "and with an open nearer to the other one it is the other": (
        [*BOTH, (106, 114, 104, 110)],
        [("SELL", 105, 114, 78)],
    ),
    "of two levels that one candle breaks none waits any more": (
        [*BOTH, (112, 114, 104, 110), (110, 115, 103, 105)],
        [("BUY", 113, 104, 140)],
    ),
    "flat candles at the level leave no risk, so they give no entry": (
        [FLAT, (105, 105, 105, 105), (103, 105, 102, 103)],
        [],
    ),
}


def signals(rows: list[Row], interval: Interval = "15m") -> list[Signal]:
    made = fed(Ema5AlertCandle(interval=interval, history_needed=0), make_candles(rows, interval))
    return [
        (one.action, one.price, pytest.approx(one.stop_loss), pytest.approx(one.target))
        for one in made
    ]


@pytest.mark.parametrize(("rows", "wanted"), EXAMPLES.values(), ids=EXAMPLES.keys())
def test_its_rule(rows: list[Row], wanted: list[Signal]) -> None:
    assert signals(rows) == wanted


def test_an_alert_ends_with_the_session() -> None:
    # Seven candles of 60 minutes are a session.
    assert signals([FLAT] * 5 + [ABOVE, BREAKS_LOW], "60m") == [SOLD]
    assert signals([FLAT] * 6 + [ABOVE, BREAKS_LOW], "60m") == []


@pytest.mark.parametrize(
    ("reward_to_risk", "gap", "wanted"),
    [(3, 0.5, 0.95), (9, 9, 0.95), (3, 0.05, 0.77), (1.5, 0.25, 0.775), (0.001, 0, 0.60)],
)
def test_confidence_rises_with_reward_to_risk_and_with_the_gap(
    reward_to_risk: float, gap: float, wanted: float
) -> None:
    assert confidence(reward_to_risk, gap) == pytest.approx(wanted, abs=1e-4)
    assert 0.60 <= confidence(reward_to_risk, gap) <= 0.95


def test_a_signal_carries_the_average_and_the_gap_of_its_alert() -> None:
    rows = [FLAT, ABOVE, BREAKS_LOW]
    (sold,) = fed(Ema5AlertCandle(history_needed=0), make_candles(rows))
    gap = 100 * 3 / 102
    assert sold.indicators == {
        "ema": pytest.approx(102 + 2.5 / 3),
        "gap_percent": pytest.approx(gap),
    }
    assert sold.confidence == pytest.approx(confidence(3, gap))


def entries(near: pd.Series, far: pd.Series, wholly: pd.Series) -> list[tuple[int, int]]:
    """Return entry and alert of a session by their rows, by jumps from event to event.

    Written for SELL: `near` are the lows, `far` the highs; for BUY both are mirrored at zero.
    """
    found = []
    alert = first(wholly, 0)
    while alert < len(near):
        entered = first(near < near[alert], alert + 1)
        shifted = first(wholly & (far <= far[alert]), alert + 1)
        if entered < len(near) and entered <= shifted:
            found.append((entered, alert))
            alert = first(wholly, entered)
        else:
            alert = shifted
    return found


def first(where: pd.Series, begin: int) -> int:
    """Return the first row from `begin` on that is true, else the number of rows."""
    rows = np.flatnonzero(where.to_numpy()[begin:])
    return begin + int(rows[0]) if len(rows) else len(where)


def by_pandas(market: Recorded) -> pd.DataFrame:
    frame = market.frame.assign(ema=market.frame["close"].ewm(span=5, adjust=False).mean())
    frame["opened_ms"] = epoch_ms(frame["timestamp"])
    rows = []
    for _, day in frame.groupby("day"):
        day = day.reset_index()  # noqa: PLW2901
        above = (day["low"] - day["ema"]) / day["ema"] >= 0.0005
        below = (day["ema"] - day["high"]) / day["ema"] >= 0.0005
        found = [
            (at, "SELL", day["low"][alert]) for at, alert in entries(day["low"], day["high"], above)
        ]
        found += [
            (at, "BUY", day["high"][alert])
            for at, alert in entries(-day["high"], -day["low"], below)
        ]
        for at, together in groupby(sorted(found), key=lambda one: one[0]):
            _, action, level = min(
                together, key=lambda one: (abs(one[2] - day["open"][at]), one[1] == "BUY")
            )
            two = day.iloc[at - 1 : at + 1]
            stop_loss = two["high"].max() if action == "SELL" else two["low"].min()
            target = level + 3 * (level - stop_loss)
            rows.append((day["index"][at], day["opened_ms"][at], action, level, stop_loss, target))
    made = pd.DataFrame(
        rows, columns=["row", "opened_ms", "action", "price", "stop_loss", "target"]
    )
    return made[(made["row"] >= 50) & (made["stop_loss"] != made["price"])].reset_index(drop=True)


def test_its_signals_are_those_of_a_search_through_each_session(market: Recorded) -> None:
    assert_same(frame_of(fed(Ema5AlertCandle(), market.candles)), by_pandas(market), least=250)
