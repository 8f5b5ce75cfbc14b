from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.broker.kite.limits import load_limits
from services.simulator.domain.errors import TooManyRequests
from services.simulator.domain.pacing import Pacing
from services.simulator.domain.rest.request_limits import RequestLimits

LIMITS = load_limits(date(2026, 6, 10))


@given(st.floats(0.1, 1000), st.integers(1, 50))
def test_at_a_speed_so_many_seconds_are_due_in_one_of_the_wall(speed: float, count: int) -> None:
    pacing = Pacing(speed)
    pacing.wait_ms(0)
    for _ in range(count - 1):
        pacing.played()
    assert pacing.wait_ms(0) == pytest.approx(count * 1000 / speed)


def test_after_a_hiccup_the_missed_seconds_are_due_at_once() -> None:
    pacing = Pacing(1)
    assert pacing.wait_ms(0) == 1000
    for _ in range(3):
        assert pacing.wait_ms(3000) == 0
        pacing.played()
    assert pacing.wait_ms(3000) == 1000


def test_a_pause_and_another_speed_are_not_caught_up() -> None:
    pacing = Pacing(1)
    pacing.wait_ms(0)
    pacing.pause()
    assert pacing.is_paused
    pacing.resume()
    assert (pacing.is_paused, pacing.wait_ms(60_000)) == (False, 1000)
    pacing.set_speed(10)
    assert (pacing.speed, pacing.wait_ms(90_000)) == (10, 100)


def taken(limits: RequestLimits, count: int, at_ms: int, method: str, path: str) -> int:
    """How many of so many requests are answered."""
    answered = 0
    for _ in range(count):
        try:
            limits.take(method, path, at_ms)
            answered += 1
        except TooManyRequests:
            pass
    return answered


@pytest.mark.parametrize(
    ("method", "path", "most"),
    [
        ("GET", "/quote/ltp", 1),
        ("GET", "/instruments/historical/1/minute", 3),
        ("PUT", "/orders/regular/1", 10),
        ("GET", "/orders", 10),
    ],
)
def test_a_second_takes_so_many_requests_of_a_class(method: str, path: str, most: int) -> None:
    limits = RequestLimits(LIMITS)
    assert taken(limits, most + 5, 0, method, path) == most
    assert taken(limits, 5, LIMITS.cool_down_ms - 1, method, path) == 0
    assert taken(limits, most, LIMITS.cool_down_ms, method, path) == most


def test_a_minute_takes_400_orders() -> None:
    limits = RequestLimits(LIMITS)
    answered = sum(
        taken(limits, 10, second * 1000, "POST", "/orders/regular") for second in range(50)
    )
    assert answered == 400


def test_classes_do_not_count_against_each_other() -> None:
    limits = RequestLimits(LIMITS)
    assert taken(limits, 3, 0, "GET", "/quote") == 1
    assert taken(limits, 3, 0, "POST", "/orders/regular") == 3
