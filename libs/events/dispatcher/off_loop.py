"""Runs handlers that may block in threads.

A thread cannot be ended. A call that runs on after its timeout is stuck until it returns. The
threads are daemons, so that a stuck call does not keep the process from ending.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from inspect import isawaitable, iscoroutinefunction
from threading import Thread
from typing import Any

STUCK_CALLS = 4
"""The number of stuck calls at which a handler gets no more events."""


class OffLoop:
    """Runs calls in daemon threads."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: set[asyncio.Future[Any]] = set()

    @property
    def stuck(self) -> int:
        """The number of calls that still run after their timeout."""
        return sum(call.cancelled() for call in tuple(self._calls))

    async def call(self, function: Callable[[Any], Any], argument: object) -> Any:
        """Return what the function returns, or raise what it raises."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Any] = loop.create_future()
        work = partial(copy_context().run, function, argument)

        def run() -> None:
            outcome = _outcome(work, result)
            self._calls.discard(result)
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(_unless_given_up, result, outcome)

        self._calls.add(result)
        Thread(target=run, name=f"handler {self._name}", daemon=True).start()
        return await result


def is_async(handler: Callable[[Any], object]) -> bool:
    """Return whether a handler is an `async def`."""
    return iscoroutinefunction(handler) or iscoroutinefunction(type(handler).__call__)


def run_to_end(handler: Callable[[Any], object], argument: object) -> None:
    """Call an async handler on a loop of its own."""
    result = handler(argument)
    if isawaitable(result):
        asyncio.run(_awaited(result))


async def _awaited(result: Awaitable[object]) -> None:
    await result


def _outcome(work: Callable[[], Any], result: asyncio.Future[Any]) -> Callable[[], None]:
    """Do the work; return the function that sets its outcome on the future, on the loop."""
    try:
        return partial(result.set_result, work())
    except StopIteration as error:  # a future cannot hold it
        return partial(result.set_exception, RuntimeError(f"the handler raised {error!r}"))
    except BaseException as error:  # noqa: BLE001  raised where the call is awaited
        return partial(result.set_exception, error)


def _unless_given_up(result: asyncio.Future[Any], outcome: Callable[[], None]) -> None:
    if not result.cancelled():
        outcome()
