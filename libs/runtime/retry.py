"""Again, with backoff and a cap, for errors that say of themselves that it can help."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina

T = TypeVar("T")


def is_retriable(error: BaseException) -> bool:
    """Return what the error says of itself; errors that say nothing are not retriable."""
    return bool(getattr(error, "is_retriable", False))


async def retrying(
    call: Callable[[], Awaitable[T]],
    on_trouble: Callable[[Exception], None],
    is_given_up: Callable[[], bool],
) -> T:
    """Call until it succeeds, waiting 0.1 s to 5 s in between; other errors are raised at once.

    `on_trouble` is told each retriable error before the wait, to report "not ready". Once
    `is_given_up` says so, a retriable error is raised too.
    """

    def judge(error: Exception) -> bool:
        if is_retriable(error) and not is_given_up():
            on_trouble(error)
            return True
        return False

    async for attempt in stamina.retry_context(
        on=judge, attempts=None, timeout=None, wait_initial=0.1, wait_max=5.0
    ):
        with attempt:
            return await call()
    raise AssertionError("unreachable: the retry context has no end")
