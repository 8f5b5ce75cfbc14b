from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.broker.kite.limits import Rate, RequestClass, SlidingWindows, class_of, load_limits

LIMITS = load_limits(date(2026, 6, 17))
RATES = st.lists(st.builds(Rate, st.integers(1, 5), st.integers(1, 3_000)), min_size=1, max_size=3)


def test_the_limits_are_those_of_the_file() -> None:
    assert LIMITS.rates["quote"] == (Rate(1, 1_000),)
    assert LIMITS.rates["orders"] == (Rate(10, 1_000), Rate(400, 60_000), Rate(5_000, 86_400_000))
    assert LIMITS.kept == {"orders": (Rate(3, 1_000), Rate(100, 60_000), Rate(1_000, 86_400_000))}
    assert LIMITS.instruments_a_call == {"quote": 500, "ohlc": 1_000, "ltp": 1_000}
    assert (LIMITS.history_days["minute"], LIMITS.history_days["day"]) == (60, 2_000)
    assert (LIMITS.modifications, LIMITS.connections, LIMITS.tag_length) == (25, 3, 20)
    assert (LIMITS.tokens_a_connection, LIMITS.cool_down_ms) == (3_000, 10_000)


def test_an_earlier_day_has_the_nearest_limits() -> None:
    assert load_limits(date(2021, 6, 3)) == LIMITS


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/quote", "quote"),
        ("GET", "/quote/ltp", "quote"),
        ("GET", "/quote/ohlc", "quote"),
        ("GET", "/instruments/historical/5633/minute", "historical"),
        ("GET", "/instruments", "other"),
        ("GET", "/instruments/NFO", "other"),
        ("POST", "/orders/regular", "orders"),
        ("PUT", "/orders/regular/1", "orders"),
        ("delete", "/orders/regular/1", "orders"),
        ("GET", "/orders", "other"),
        ("GET", "/orders/1/trades", "other"),
        ("GET", "/trades", "other"),
        ("GET", "/user/profile", "other"),
        ("POST", "/session/token", "other"),
    ],
)
def test_a_request_counts_against_one_class(method: str, path: str, expected: RequestClass) -> None:
    assert class_of(method, path) == expected


def test_a_full_window_waits_for_its_oldest_request() -> None:
    windows = SlidingWindows([Rate(2, 1_000)])
    windows.take(100)
    windows.take(400)
    assert windows.free(500) == 0
    assert windows.wait_ms(500) == 600
    assert windows.wait_ms(1_100) == 0
    assert windows.free(1_100) == 1


def test_the_slowest_of_several_rates_decides() -> None:
    windows = SlidingWindows([Rate(1, 1_000), Rate(2, 60_000)])
    windows.take(0)
    windows.take(1_000)
    assert windows.wait_ms(2_000) == 58_000


def test_of_two_rates_with_one_span_the_tighter_says_what_is_left() -> None:
    for rates in ([Rate(1, 1_000), Rate(2, 1_000)], [Rate(2, 1_000), Rate(1, 1_000)]):
        windows = SlidingWindows(rates)
        windows.take(0)
        assert windows.left(0) == {1_000: 0}
        assert windows.free(0) == 0


def test_a_margin_makes_each_span_longer() -> None:
    windows = LIMITS.windows("quote", margin_ms=80)
    windows.take(0)
    assert windows.wait_ms(0) == 1_080


@given(RATES, st.lists(st.integers(0, 1_000), max_size=60))
def test_no_span_ever_holds_more_than_its_rate(rates: list[Rate], steps: list[int]) -> None:
    windows, now_ms, taken = SlidingWindows(rates), 0, []
    for step in steps:
        now_ms += step
        now_ms += windows.wait_ms(now_ms)
        assert windows.wait_ms(now_ms) == 0
        assert windows.free(now_ms) > 0
        windows.take(now_ms)
        taken.append(now_ms)
    for rate in rates:
        for first in taken:
            within = [at_ms for at_ms in taken if first <= at_ms < first + rate.per_ms]
            assert len(within) <= rate.count


@given(st.lists(st.integers(0, 300), max_size=60), st.integers(0, 999))
def test_no_second_of_the_exchanges_clock_holds_more_than_its_rate(
    steps: list[int], offset_ms: int
) -> None:
    windows, now_ms = SlidingWindows([Rate(10, 1_000)]), 0
    seconds: Counter[int] = Counter()
    for step in steps:
        now_ms += step
        now_ms += windows.wait_ms(now_ms)
        windows.take(now_ms)
        seconds[(now_ms + offset_ms) // 1_000] += 1
    assert max(seconds.values(), default=0) <= 10


@given(st.lists(st.tuples(st.integers(0, 400), st.booleans()), max_size=60))
def test_what_keeps_a_share_never_takes_the_last_of_a_rate(asked: list[tuple[int, bool]]) -> None:
    windows, now_ms = SlidingWindows([Rate(5, 1_000)], {1_000: 2}), 0
    for step, keeps in asked:
        now_ms += step
        if windows.wait_ms(now_ms, keeps=keeps) == 0:
            assert windows.free(now_ms) > (2 if keeps else 0)
            windows.take(now_ms)
        else:
            assert windows.free(now_ms) <= (2 if keeps else 0)


@given(RATES, st.lists(st.integers(0, 1_000), max_size=40))
def test_a_request_waits_only_if_none_is_free(rates: list[Rate], steps: list[int]) -> None:
    windows, now_ms = SlidingWindows(rates), 0
    for step in steps:
        now_ms += step
        assert (windows.wait_ms(now_ms) == 0) == (windows.free(now_ms) > 0)
        if windows.free(now_ms) > 0:
            windows.take(now_ms)
