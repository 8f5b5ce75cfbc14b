"""Our candles against the broker's: every value that differs, and by how much."""

from datetime import date
from typing import Any

import pytest

from libs.events.candles import Candle
from libs.strategy.harness import make_candles
from services.local.verification.comparing import compared, corrections

OURS = make_candles([100.0, 101.0, 102.0, 103.0], first_day=date(2026, 6, 17))


def brokers(**changes: Any) -> list[Candle]:
    """The same candles as the broker has them, but for the second one."""
    every = [one._replace(source="backfill", ticks=0, vwap=None) for one in OURS]
    every[1] = every[1]._replace(**changes)
    return every


def test_candles_that_agree_to_the_paisa_are_the_same_whatever_else_differs() -> None:
    found = compared(OURS, brokers(close=101.0 + 1e-9))
    assert (found.same, found.differences) == (4, ())


def test_each_value_that_differs_is_named_with_the_size_of_the_difference() -> None:
    found = compared(OURS, brokers(high=101.35, volume=7))
    (one,) = found.differences
    assert (found.same, one.place) == (3, ("NSE:RELIANCE", "15m", OURS[1].opened_ms))
    assert one.fields == ("high", "volume")
    assert one.values("high") == (101.0, 101.35, -0.35)
    assert one.values("volume") == (OURS[1].volume, 7.0, OURS[1].volume - 7.0)


def test_a_candle_that_one_of_the_two_lacks_differs_too() -> None:
    found = compared(OURS[:3], brokers()[1:])
    first, last = found.differences
    assert (first.ours, first.brokers, last.ours) == (OURS[0], None, None)
    assert found.same == 2
    with pytest.raises(ValueError, match="one of the two candles is missing"):
        first.values("open")


def test_corrections_are_the_brokers_candles_as_later_revisions() -> None:
    ours = [OURS[0], OURS[1]._replace(revision=2), OURS[2]]
    found = compared(ours, brokers(close=99.0))
    made = corrections(found.differences)
    assert [(one.opened_ms, one.close, one.revision, one.source) for one in made] == [
        (OURS[1].opened_ms, 99.0, 3, "backfill"),
        (OURS[3].opened_ms, 103.0, 1, "backfill"),
    ]
    assert corrections(compared(OURS, brokers()[:3]).differences) == []
