"""Waiting for the next trading day at an account, and ending a wait."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import date, datetime

import pytest

from services.local.play.stopping import ending_with, first_of
from services.local.play.trading_days import is_after_close, until_opening
from tests.unit.services.ingest.test_days import Wall, at

FRIDAY, MONDAY = date(2026, 6, 19), date(2026, 6, 22)


def waited(now: datetime, played: date | None = None) -> tuple[date, datetime, list[str]]:
    """The day that is opened, when, and what was said."""
    wall, said = Wall(now), list[str]()
    day = asyncio.run(until_opening(played, said.append, wall.now_ms, wall.sleep))
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


@pytest.mark.parametrize(("hour", "minute", "is_over"), [(15, 29, False), (15, 30, True)])
def test_a_day_is_over_with_its_last_session(hour: int, minute: int, is_over: bool) -> None:
    now_ms = int(at(FRIDAY, hour, minute).timestamp() * 1000)
    assert is_after_close(FRIDAY, now_ms) == is_over


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
