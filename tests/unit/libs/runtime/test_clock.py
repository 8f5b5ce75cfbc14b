import time
from datetime import date, datetime
from datetime import time as time_of_day

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.calendar import IST
from libs.runtime.clock import FeedClock, WallClock, make_clock

FAR = 9_999_999_999_999
DAY = date(2026, 6, 17)


def at(clock_time: str, day: date = DAY) -> int:
    """Return a time in India as epoch ms."""
    return round(
        datetime.combine(day, time_of_day.fromisoformat(clock_time), IST).timestamp() * 1000
    )


def test_the_walls_clock_is_without_what_it_is_known_to_be_ahead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 10_000_000_000)
    clock = WallClock()
    assert clock.now_ms() == 10_000
    clock.correct(3000, found_ms=10_000)
    assert (clock.now_ms(), clock.offset_ms) == (7000, 3000)
    clock.correct(600_000, found_ms=-60_000)
    assert clock.now_ms() == 7000, "a backlog is no news"
    clock.correct(0, found_ms=10_000)
    assert clock.now_ms() == 10_000


def test_a_feeds_clock_does_not_care_for_the_machines_time_of_day() -> None:
    clock = FeedClock()
    clock.observe(50_000)
    clock.correct(3000, found_ms=0)
    assert (clock.now_ms(), clock.offset_ms) == (50_000, 0)


class Watchmaker:
    """Monotonic time that a test moves."""

    def __init__(self) -> None:
        self.now = 5_000

    def __call__(self) -> int:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += round(seconds * 1000)


@given(st.lists(st.integers(0, FAR)))
def test_with_the_stamps_alone_the_clock_is_the_highest_time_seen(times: list[int]) -> None:
    clock, shown = FeedClock(), [0]
    for at_ms in times:
        clock.observe(at_ms)
        shown.append(clock.now_ms())
    assert shown == [max([0, *times[:seen]]) for seen in range(len(times) + 1)]


def test_with_the_stamps_alone_no_time_passes_by_itself() -> None:
    machine = Watchmaker()
    clock = FeedClock(0.0, machine)
    clock.observe(at("15:14:00"))
    machine.passes(3600)
    assert clock.now_ms() == at("15:14:00")
    assert not clock.runs


@pytest.mark.parametrize(("pace", "shown"), [(1.0, "15:15:00"), (60.0, "15:30:59.999")])
def test_a_dead_feed_does_not_stop_the_clock(pace: float, shown: str) -> None:
    machine = Watchmaker()
    clock = FeedClock(pace, machine)
    clock.observe(at("15:14:00"))
    machine.passes(60 if pace == 1.0 else 16.9999)
    assert clock.now_ms() == pytest.approx(at(shown), abs=60)
    assert clock.runs


def test_it_stops_a_minute_after_the_last_close_of_the_day() -> None:
    machine = Watchmaker()
    clock = FeedClock(1.0, machine)
    clock.observe(at("15:29:59"))
    machine.passes(24 * 3600)
    assert clock.now_ms() == at("15:31:00")
    clock.observe(at("09:00:00", date(2026, 6, 18)))
    assert clock.now_ms() == at("09:00:00", date(2026, 6, 18))
    machine.passes(2)
    assert clock.now_ms() == at("09:00:02", date(2026, 6, 18))


@pytest.mark.parametrize("day", [date(2026, 6, 20), date(2050, 1, 3)])
def test_on_a_day_without_a_known_session_it_stands_between_two_stamps(day: date) -> None:
    machine = Watchmaker()
    clock = FeedClock(1.0, machine)
    clock.observe(at("10:00:00", day))
    machine.passes(5)
    assert clock.now_ms() == at("10:00:00", day)


def test_a_stamp_after_the_close_is_the_time() -> None:
    machine = Watchmaker()
    clock = FeedClock(1.0, machine)
    clock.observe(at("15:40:00"))
    machine.passes(5)
    assert clock.now_ms() == at("15:40:00")


def test_a_feed_that_comes_back_behind_the_clock_does_not_set_it_back() -> None:
    machine = Watchmaker()
    clock = FeedClock(1.0, machine)
    clock.observe(at("10:00:00"))
    machine.passes(10)
    assert clock.now_ms() == at("10:00:10")
    clock.observe(at("10:00:04"))
    machine.passes(3)
    assert clock.now_ms() == at("10:00:10")  # the stamp and 3 s are 10:00:07
    machine.passes(5)
    assert clock.now_ms() == at("10:00:12")


def test_a_past_event_sets_the_time_but_the_clock_does_not_go_on_from_it() -> None:
    machine = Watchmaker()
    clock = FeedClock(60.0, machine)
    clock.remember(at("09:15:00"))
    machine.passes(30)
    assert clock.now_ms() == at("09:15:00")
    clock.observe(at("09:15:01"))
    machine.passes(1)
    assert clock.now_ms() == at("09:16:01")


def test_what_another_service_says_of_the_time_does_not_stop_the_clock() -> None:
    machine = Watchmaker()
    clock = FeedClock(1.0, machine)
    clock.observe(at("10:00:00"))
    machine.passes(4)
    clock.remember(at("10:00:04"))
    machine.passes(4)
    assert clock.now_ms() == at("10:00:08")


@given(
    st.floats(0, 1000),
    st.lists(st.tuples(st.integers(0, 100_000), st.integers(-5_000, 60_000)), max_size=30),
)
def test_the_clock_never_goes_back_and_is_never_past_stamp_and_pace(
    pace: float, steps: list[tuple[int, int]]
) -> None:
    machine = Watchmaker()
    clock = FeedClock(pace, machine)
    stamp = highest = at("09:15:00")
    clock.observe(stamp)
    before, latest = clock.now_ms(), stamp
    for passed, moved in steps:
        machine.passes(passed / 1000)
        shown = clock.now_ms()
        assert shown >= before
        latest = max(latest, round(highest + passed * pace) + 1)
        stamp += moved
        clock.observe(stamp)
        highest = max(highest, stamp)
        before = clock.now_ms()
        assert before >= highest
        assert before <= max(latest, highest, at("15:31:00"))


def test_the_walls_clock_ignores_the_feed() -> None:
    clock = make_clock("wall")
    before_ms = time.time_ns() // 1_000_000
    clock.observe(FAR)
    clock.remember(FAR)
    assert before_ms <= clock.now_ms() < FAR
    assert clock.runs


def test_the_settings_choose_the_clock_and_its_pace() -> None:
    assert isinstance(make_clock("wall", 60.0), WallClock)
    clock = make_clock("feed", 60.0)
    assert isinstance(clock, FeedClock)
    assert clock.pace == 60.0
    assert make_clock("wall", 60.0).pace == 1.0
