import time

from hypothesis import given
from hypothesis import strategies as st

from libs.runtime.clock import FeedClock, make_clock

FAR = 9_999_999_999_999


@given(st.lists(st.integers(0, FAR)))
def test_the_feeds_clock_is_the_highest_time_seen_and_never_steps_back(times: list[int]) -> None:
    clock, shown = FeedClock(), [0]
    for at_ms in times:
        clock.observe(at_ms)
        shown.append(clock.now_ms())
    assert shown == [max([0, *times[:seen]]) for seen in range(len(times) + 1)]


def test_the_walls_clock_ignores_the_feed() -> None:
    clock = make_clock("wall")
    before_ms = time.time_ns() // 1_000_000
    clock.observe(FAR)
    assert before_ms <= clock.now_ms() < FAR


def test_the_setting_chooses_the_clock() -> None:
    assert isinstance(make_clock("feed"), FeedClock)
