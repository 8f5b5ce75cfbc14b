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
        self.ahead_ms, self.slept_ms, self.is_news = ahead_ms, 0, False

    def frame(self, at_ms: int, *stamps: int) -> int:
        """Let a frame with these stamps arrive; return when it did by the exchange's time."""
        told = np.array([OPEN + one for one in stamps], np.int64)
        wall_ms = OPEN + at_ms + self.ahead_ms
        arrived, self.is_news = self.clock.arrived(told, wall_ms, MONOTONIC + at_ms - self.slept_ms)
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
def test_the_offset_is_what_the_machine_says_less_the_time_at_the_exchange(ahead_ms: int) -> None:
    machine = Machine(ahead_ms)
    for late, second in enumerate(range(1, 20)):
        machine.frame(1000 * second + 100 + 30 * late, 1000 * second)
    assert machine.clock.offset_ms == ahead_ms + 100


def test_an_offset_within_a_second_is_none() -> None:
    for ahead_ms in (900, -1000):
        machine = Machine(ahead_ms)
        machine.frame(1000, 1000)
        assert machine.clock.offset_ms == 0


def test_a_machine_that_is_set_right_or_wrong_is_noticed_with_the_next_frame() -> None:
    machine = Machine(-600_000)
    for second in range(1, 6):
        machine.frame(1000 * second, 1000 * second)
    assert machine.clock.offset_ms == -600_000
    for ahead_ms in (0, 600_000, 0):
        machine.ahead_ms = ahead_ms
        machine.frame(6000, 6000)
        assert machine.clock.offset_ms == ahead_ms


def test_ticks_that_come_late_are_no_offset_and_have_arrived_late() -> None:
    machine = Machine()
    machine.frame(1000, 1000)
    for second in range(2, 400):
        late = min(300_000, 990 * second)
        assert machine.frame(1000 * second, 1000 * second - late) == 1000 * second
        assert machine.clock.offset_ms == 0


def test_heartbeats_do_not_overtake_a_connection_that_lags() -> None:
    machine = Machine()
    machine.frame(1000, 1000)
    assert machine.frame(21_000, 2000) == 21_000, "what arrives late has arrived now"
    assert machine.heartbeat(21_500) == 2500
    assert machine.frame(22_000, 3000) == 22_000


def test_what_a_new_subscription_repeats_is_no_news_and_moves_nothing() -> None:
    machine = Machine()
    machine.frame(3_600_000, 3_600_000)
    assert machine.is_news
    for second in range(1, 60):
        assert machine.frame(3_600_000 + 1000 * second, 60_000) == 3_600_000 + 1000 * second
        assert not machine.is_news
        assert machine.clock.offset_ms == 0
    assert machine.heartbeat(3_660_000) == 3_660_000, "it goes on from the newest stamp"


def test_one_stamp_far_ahead_moves_nothing_and_the_rest_of_its_frame_counts() -> None:
    machine = Machine()
    machine.frame(1000, 1000)
    assert machine.frame(2000, 2000, 3_600_000) == 2000
    assert machine.frame(3000, 3_600_000) == 3000
    assert machine.heartbeat(4000) == 4000


def test_a_time_far_ahead_is_believed_by_three_frames_after_the_machine_has_slept() -> None:
    """Its monotonic clock stood still meanwhile. One instrument repeats an old stamp."""
    machine = Machine()
    machine.frame(1000, 1000)
    machine.slept_ms = 600_000
    slept = [machine.frame(600_000 + 1000 * n, 600_000 + 1000 * n, 500) for n in (2, 3)]
    assert slept == [2000, 3000]
    assert machine.frame(604_000, 604_000, 500) == 604_000
    assert machine.heartbeat(605_000) == 605_000


def test_a_time_far_ahead_is_not_believed_while_the_machine_agrees_with_what_is_known() -> None:
    machine = Machine()
    for second in range(1, 30):
        machine.frame(1000 * second, 20_000_000 + 1000 * second)
        assert machine.frame(1000 * second, 1000 * second) == 1000 * second


def test_ticks_that_come_faster_than_the_first_ones_are_believed_by_any_machine() -> None:
    for ahead_ms in (0, -10_000, 10_000):
        machine = Machine(ahead_ms)
        machine.frame(4000, 1000)
        arrived = [machine.frame(1000 * n, 1000 * n) for n in (5, 6, 7, 8)]
        assert arrived[2:] == [7000, 8000]


def test_frames_that_do_not_agree_confirm_nothing() -> None:
    machine = Machine()
    machine.frame(1000, 1000)
    for second, stamp in enumerate((30_000, 50_000, 30_000, 50_000), start=2):
        assert machine.frame(1000 * second, stamp) == 1000 * second


def test_a_first_stamp_far_from_the_machines_clock_waits_for_two_more() -> None:
    for ahead_ms in (-3_600_000, 3_600_000):
        machine = Machine(ahead_ms)
        assert [machine.frame(1000 * n, 1000 * n) for n in (1, 2, 3)] == [0, 0, 3000]


def test_what_is_repeated_at_a_start_in_mid_session_is_not_taken_for_the_time() -> None:
    machine = Machine()
    assert machine.frame(7_200_000, 60_000, 90_000) == 0
    assert machine.frame(7_201_000, 7_201_000, 60_000) == 7_201_000
    assert machine.clock.offset_ms == 0


def test_a_time_that_is_doubted_is_news_as_long_as_it_goes_on() -> None:
    machine = Machine()
    machine.frame(0, -10_000, -9_000, 0)
    for at_ms in (1000, 2000, 3000):
        machine.frame(at_ms, at_ms)
        assert machine.is_news
    frozen = Machine()
    frozen.frame(0, -10_000, -9_000, 0)
    frozen.frame(1000, 1000)
    for at_ms in (4000, 7000):
        frozen.frame(at_ms, 1000)
        assert not frozen.is_news


def test_time_that_ran_ahead_of_all_stamps_is_set_back_where_the_machine_agrees() -> None:
    machine = Machine()
    machine.frame(1000, 1000 + 50_000)
    arrived = [machine.frame(1000 * n, 1000 * n) for n in range(2, 40)]
    assert arrived[0] == 52_000
    assert arrived[-1] == 39_000
    assert machine.heartbeat(40_000) == 40_000


def test_without_a_stamp_of_the_day_there_is_no_time() -> None:
    machine = Machine()
    assert machine.heartbeat(1000) == 0
    assert machine.frame(2000, -86_400_000) == 0
    assert machine.clock.now_ms(MONOTONIC) == 0


FRAMES = st.lists(
    st.tuples(st.integers(0, 3000), st.lists(st.integers(-2000, 0), max_size=3)), max_size=30
)


@given(FRAMES, st.integers(-55_000, 55_000))
def test_the_time_is_the_same_by_every_machine(
    frames: list[tuple[int, list[int]]], ahead_ms: int
) -> None:
    """One that is off by more than a minute waits for two more frames first."""
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
