"""When a frame arrived, by the feed's timestamps."""

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from libs.market.calendar import load_calendar
from services.ingest.domain.arrival import FeedArrival

DAY = date(2026, 6, 17)
OPEN = load_calendar().sessions("NSE", DAY)[0].open_ms


def arrivals(*frames: list[int]) -> list[int]:
    told = FeedArrival(DAY)
    return [told.of(np.array(stamps, np.int64)) for stamps in frames]


def test_a_frame_arrives_at_the_median_of_its_timestamps() -> None:
    assert arrivals([OPEN, OPEN + 1000, OPEN + 1000]) == [OPEN + 1000]


def test_a_packet_far_ahead_does_not_move_the_clock() -> None:
    assert arrivals([OPEN, OPEN, OPEN + 3_600_000]) == [OPEN]


def test_timestamps_of_other_days_are_ignored() -> None:
    assert arrivals([0, OPEN - 86_400_000], [OPEN + 86_400_000]) == [0, 0]


def test_a_heartbeat_arrives_when_the_last_frame_did() -> None:
    assert arrivals([OPEN + 5000], [], [OPEN + 6000]) == [OPEN + 5000, OPEN + 5000, OPEN + 6000]


@given(st.lists(st.lists(st.integers(OPEN - 10**8, OPEN + 10**8), max_size=5), max_size=20))
def test_arrival_never_goes_back(frames: list[list[int]]) -> None:
    told = arrivals(*frames)
    assert told == sorted(told)
