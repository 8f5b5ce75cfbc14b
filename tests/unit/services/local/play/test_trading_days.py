"""Waiting for the next trading day at an account, and ending a wait."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import date, datetime

import pytest

from libs.broker.errors import BrokerUnavailable, RequestRefused, SessionMissing
from libs.market.calendar import load_calendar
from libs.market.market_hours import MarketHours
from services.local.play.stopping import beside, ending_with, first_of
from services.local.play.trading_days import is_after_close, until_opened, until_opening
from tests.unit.services.ingest.test_days import Wall, at

FRIDAY, MONDAY = date(2026, 6, 19), date(2026, 6, 22)
HOURS = MarketHours(load_calendar())


def waited(now: datetime, played: date | None = None) -> tuple[date, datetime, list[str]]:
    """The day that is opened, when, and what was said."""
    wall, said = Wall(now), list[str]()
    day = asyncio.run(until_opening(HOURS, played, said.append, wall.now_ms, wall.sleep))
    return day, wall.now, said


def test_the_next_trading_day_is_waited_for_and_named() -> None:
    day, now, said = waited(at(FRIDAY, 15, 31), FRIDAY)
    assert (day, now) == (MONDAY, at(MONDAY, 8, 30))
    assert said == [
        "Waiting for the next trading day, 2026-06-22: it is opened at 08:30, India's time. "
        "Ctrl-C stops it."
    ]


def test_on_a_trading_day_nothing_is_waited_for() -> None:
    assert waited(at(FRIDAY, 9, 30)) == (FRIDAY, at(FRIDAY, 9, 30), [])


def test_what_is_waited_for_is_noted_while_nothing_listens() -> None:
    wall, noted = Wall(at(FRIDAY, 15, 31)), list[str]()
    asyncio.run(until_opening(HOURS, FRIDAY, noted.append, wall.now_ms, wall.sleep, noted.append))
    assert noted[1] == (
        "the next trading day, 2026-06-22; the executor starts at 08:30, India's time"
    )


class Opening:
    """An attempt to open a day that fails as it is told to."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)

    async def __call__(self) -> None:
        if self._failures:
            raise self._failures.pop(0)


async def no_sleep(_: float) -> None:
    """Do not sleep."""


def test_a_login_is_waited_for_and_asked_for_once() -> None:
    missing = SessionMissing("there is no session at s.json: run `alphastocks login`")
    opening, said, noted = Opening(missing, missing, missing), list[str](), list[str]()
    asyncio.run(until_opened(opening, said.append, noted.append, no_sleep))
    assert noted == ["a login in another terminal: alphastocks login"]
    assert said == [f"Waiting for {noted[0]}. Ctrl-C stops it. {missing}"]


def test_a_broker_that_is_away_is_waited_for_and_a_refusal_is_not() -> None:
    opening, said = Opening(BrokerUnavailable("no answer"), RequestRefused("no")), list[str]()
    with pytest.raises(RequestRefused):
        asyncio.run(until_opened(opening, said.append, said.append, no_sleep))
    assert len(said) == 2, "of the first alone"


@pytest.mark.parametrize(("hour", "minute", "is_over"), [(15, 29, False), (15, 30, True)])
def test_a_day_is_over_with_its_last_session(hour: int, minute: int, is_over: bool) -> None:
    now_ms = int(at(FRIDAY, hour, minute).timestamp() * 1000)
    assert is_after_close(HOURS, FRIDAY, now_ms) == is_over


def test_a_wait_ends_when_all_is_to_stop_and_what_waited_is_cancelled() -> None:
    async def story() -> tuple[bool, bool]:
        stopping, ended = asyncio.Event(), list[str]()

        async def forever() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cancelled")

        asyncio.get_running_loop().call_soon(stopping.set)
        return await first_of(stopping, forever()), bool(ended)

    assert asyncio.run(story()) == (False, True)


def test_what_is_done_before_is_done_and_its_error_is_raised() -> None:
    async def done() -> None: ...

    async def failed() -> None:
        raise ValueError("no")

    async def wait_for(awaited: Callable[[], Coroutine[None, None, None]]) -> bool:
        return await first_of(asyncio.Event(), awaited())

    assert asyncio.run(wait_for(done))
    with pytest.raises(ValueError, match="no"):
        asyncio.run(wait_for(failed))


def test_a_day_ends_by_itself_or_with_everything() -> None:
    async def story() -> tuple[bool, bool]:
        stopping = asyncio.Event()
        async with ending_with(stopping) as first:
            first.set()
        is_stopping = stopping.is_set()
        async with ending_with(stopping) as second:
            stopping.set()
            await second.wait()
        return is_stopping, second.is_set()

    assert asyncio.run(story()) == (False, True)


async def result() -> int:
    return 7


async def failing() -> int:
    raise ConnectionError("the market broke off")


async def lasting() -> int:
    return int(await asyncio.Event().wait())


def run_beside(other: Callable[[], Coroutine[None, None, int]]) -> int | None:
    async def story() -> int | None:
        ending = asyncio.Event()

        async def main() -> None:
            if other is not failing:
                asyncio.get_running_loop().call_later(0.01, ending.set)
            await ending.wait()

        return await beside(main(), other(), ending)

    return asyncio.run(asyncio.wait_for(story(), 10))


def test_an_error_beside_ends_both_and_is_raised() -> None:
    with pytest.raises(ConnectionError, match="the market broke off"):
        run_beside(failing)


def test_what_ran_beside_has_its_result_or_is_cancelled() -> None:
    assert run_beside(result) == 7
    assert run_beside(lasting) is None
