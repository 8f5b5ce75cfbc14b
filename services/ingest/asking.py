"""Requests that are tried again while the broker does not answer."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from libs.runtime.logs import logger_of
from libs.runtime.retry import retrying

ATTEMPTS = 20
T = TypeVar("T")


async def asked(call: Callable[[], Awaitable[T]], failing: str = "the broker does not answer") -> T:
    """Call until it succeeds; retriable errors are logged and retried up to ATTEMPTS times.

    `failing` says in the log what does not work.
    """
    log, tried = logger_of("ingest"), 0

    def report(error: Exception) -> None:
        nonlocal tried
        tried += 1
        log.warning(f"{failing}, retrying", reason=str(error), tried=tried)

    return await retrying(call, report, lambda: tried >= ATTEMPTS)
