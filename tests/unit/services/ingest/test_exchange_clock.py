"""The exchange's time between its stamps, whatever the machine's clock says."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.calendar import load_calendar
from services.ingest.domain.exchange_clock import ExchangeClock

DAY = date(2026, 6, 17)
OPEN = load_calendar().sessions("NSE", DAY)[0].open_ms
MONOTONIC = 77_000
"""What the machine's monotonic clock says at the open."""


class Machine:
    """A machine whose clock is so much ahead of the exchange's; times are ms since the open."""

    def __init__(self, ahead_ms: int = 0) -> None:
        self.clock = ExchangeClock(DAY)
        self._ahead_ms = ahead_ms

    def frame(self, at_ms: int, *stamps: int) -> int:
        """Let a frame with these stamps arrive; return when it did by the exchange's time."""
        told = np.array([OPEN + one for one in stamps], np.int64)
        arrived = self.clock.arrived(told, OPEN + at_ms + self._ahead_ms, MONOTONIC + at_ms)
        return arrived - OPEN if arrived else 0

    def heartbeat(self, at_ms: int) -> int:
        return self.frame(at_ms)


@pytest.mark.parametrize("ahead_ms", [3000, -5000, 0, 40_000, -40_000])
def test_heartbeats_go_on_from_the_last_stamp_whatever_the_machines_clock_says(
    ahead_ms: int,
) -> None:
    machine = Machine(ahead_ms)
    assert machine.frame(1200, 1000) == 1000
    assert machine.heartbeat(2100) == 1900
    assert machine.frame(2300, 2000) == 2100
    assert machine.frame(3200, 3000) == 3000


@pytest.mark.parametrize("ahead_ms", [3000, -5000])
def test_the_offset_is_the_least_difference_between_machine_and_stamp(ahead_ms: int) -> None:
    machine = Machine(ahead_ms)
    for late, second in enumerate(range(1, 20)):
        machine.frame(1000 * second + 100 + 30 * late, 1000 * second)
    assert machine.clock.offset_ms == ahead_ms + 100


def test_an_offset_within_a_second_is_none() -> None:
    for ahead_ms in (900, -1000):
        machine = Machine(ahead_ms)
        machine.frame(1000, 1000)
        assert machine.clock.offset_ms == 0


def test_ticks_that_come_late_for_less_than_half_a_minute_are_no_offset() -> None:
    machine = Machine()
    machine.frame(1000, 1000)
    offsets = []
    for second in range(2, 40):
        machine.frame(1000 * second, 1000 * second - min(20_000, 500 * second))
        offsets.append(machine.clock.offset_ms)
    assert offsets[:28] == [0] * 28
    assert offsets[-1] > 4000


def test_an_offset_that_ends_is_forgotten_with_the_first_frame_in_time() -> None:
    machine = Machine(3000)
    for second in range(1, 5):
        machine.frame(1000 * second, 1000 * second)
    assert machine.clock.offset_ms == 3000
    machine._ahead_ms = 0
    machine.frame(5000, 5000)
    assert machine.clock.offset_ms == 0


def test_heartbeats_do_not_overtake_a_connection_that_lags() -> None:
    machine = Machine()
    machine.frame(1000, 1000)
    assert machine.frame(21_000, 2000) == 21_000, "what arrives late has arrived now"
    assert machine.heartbeat(21_500) == 2500
    assert machine.frame(22_000, 3000) == 22_000


def test_one_stamp_far_ahead_moves_nothing_and_the_rest_of_its_frame_counts() -> None:
    machine = Machine()
    machine.frame(1000, 1000)
    assert machine.frame(2000, 2000, 3_600_000) == 2000
    assert machine.frame(3000, 3_600_000) == 2000 + 1000
    assert machine.heartbeat(4000) == 4000


def test_a_time_far_ahead_is_believed_when_three_frames_agree_on_it() -> None:
    """As after the machine has slept: its monotonic clock stood still."""
    machine = Machine()
    machine.frame(1000, 1000)
    assert [machine.frame(1000 * n, 600_000 + 1000 * n) for n in (2, 3)] == [2000, 3000]
    assert machine.frame(4000, 604_000) == 604_000
    assert machine.heartbeat(5000) == 605_000


def test_frames_that_do_not_agree_confirm_nothing() -> None:
    machine = Machine()
    machine.frame(1000, 1000)
    for second, stamp in enumerate((600_000, 1_200_000, 600_000, 1_200_000), start=2):
        assert machine.frame(1000 * second, stamp) == 1000 * second


def test_a_first_stamp_far_ahead_of_the_machine_waits_for_two_more() -> None:
    machine = Machine(ahead_ms=-3_600_000)
    assert [machine.frame(1000 * n, 1000 * n) for n in (1, 2, 3)] == [0, 0, 3000]


def test_without_a_stamp_of_the_day_there_is_no_time() -> None:
    machine = Machine()
    assert machine.heartbeat(1000) == 0
    assert machine.frame(2000, -86_400_000) == 0
    assert machine.clock.now_ms(MONOTONIC) == 0


FRAMES = st.lists(
    st.tuples(st.integers(0, 3000), st.lists(st.integers(-2000, 0), max_size=3)), max_size=30
)


@given(FRAMES, st.integers(-55_000, 10**7))
def test_the_time_is_the_same_by_every_machine(
    frames: list[tuple[int, list[int]]], ahead_ms: int
) -> None:
    """But for one that is more than a minute behind: it waits for two more frames first."""
    right, other, now = Machine(), Machine(ahead_ms), 0
    for passed, late in frames:
        now += passed
        stamps = [now + one for one in late]
        assert right.frame(now, *stamps) == other.frame(now, *stamps)


@given(FRAMES)
def test_what_arrived_with_ticks_never_goes_back(frames: list[tuple[int, list[int]]]) -> None:
    machine, now, last = Machine(), 0, -OPEN
    for passed, late in frames:
        now += passed
        arrived = machine.frame(now, *(now + one for one in late))
        if late and arrived:
            assert arrived >= last
            last = arrived
