"""Waiting that ends when everything is to stop."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


async def first_of(stopping: asyncio.Event, awaited: Coroutine[Any, Any, None]) -> bool:
    """Return True when the coroutine is done, False when it is to stop before; raise its error."""
    done, stop = asyncio.ensure_future(awaited), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait([done, stop], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()
        if not done.done():
            done.cancel()
        await asyncio.wait([done, stop])
    if done.cancelled():
        return False
    await done
    return not stopping.is_set()


@asynccontextmanager
async def ending_with(stopping: asyncio.Event) -> AsyncIterator[asyncio.Event]:
    """Yield an event of its own that is set too when everything is to stop."""
    ending = asyncio.Event()

    async def follow() -> None:
        await stopping.wait()
        ending.set()

    following = asyncio.create_task(follow())
    try:
        yield ending
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def beside(
    main: Coroutine[Any, Any, None], other: Coroutine[Any, Any, T], ending: asyncio.Event
) -> T | None:
    """Run `main` to its end, and another beside it; an error of either ends both, and is raised.

    `main` has to end when `ending` is set. Returns the result of the other one, None if it had not
    ended before.
    """
    running = asyncio.create_task(other)

    def on_done(task: "asyncio.Task[T]") -> None:
        if not task.cancelled() and task.exception() is not None:
            ending.set()

    running.add_done_callback(on_done)
    try:
        await main
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return None if running.cancelled() else running.result()
