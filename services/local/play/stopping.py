"""Waiting that ends when everything is to stop."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


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
