"""Retries with backoff, for errors that declare themselves retriable."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina

from libs.runtime.health import Health
from libs.runtime.metrics import Metrics

T = TypeVar("T")
Call = Callable[[], Awaitable[None]]


def is_retriable(error: BaseException) -> bool:
    """Return the error's `is_retriable`, False where it has none."""
    return bool(getattr(error, "is_retriable", False))


async def retrying(
    call: Callable[[], Awaitable[T]],
    on_error: Callable[[Exception], None],
    is_given_up: Callable[[], bool],
) -> T:
    """Call until it succeeds, with a backoff of 0.1 s to 5 s; other errors are raised at once.

    `on_error` gets each retriable error before the wait. When `is_given_up` returns True a
    retriable error is raised too.
    """

    def judge(error: Exception) -> bool:
        if is_retriable(error) and not is_given_up():
            on_error(error)
            return True
        return False

    async for attempt in stamina.retry_context(
        on=judge, attempts=None, timeout=None, wait_initial=0.1, wait_max=5.0
    ):
        with attempt:
            return await call()
    raise AssertionError("unreachable: the retry context has no end")


class RetryUntilWell:
    """Retries during an outage of an external system, and reports the outage as health.

    `pause` and `resume` stop the input meanwhile. When `is_stopping` is set it raises the error
    instead of waiting.
    """

    def __init__(
        self,
        name: str,
        metrics: Metrics,
        health: Health,
        pause: Callable[[], None] = lambda: None,
        resume: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = name
        self._metrics = metrics
        self._health = health
        self._pause = pause
        self._resume = resume
        self.is_stopping = False

    async def __call__(self, call: Call) -> None:
        """Call until it succeeds; raise an error that is not retriable at once."""
        try:
            await call()
        except Exception as error:
            if self.is_stopping or not is_retriable(error):
                raise
            await self._until_well(call, error)

    async def _until_well(self, call: Call, error: Exception) -> None:
        def report(outage: Exception) -> None:
            self._metrics.retries.labels(self._name).inc()
            self._health.unwell(self._name, str(outage))

        report(error)
        self._pause()
        try:
            await retrying(call, report, lambda: self.is_stopping)
        finally:  # whatever ends the outage, the input goes on
            self._resume()
            self._health.well(self._name)
