"""Again, with backoff and a cap, for errors that say of themselves that it can help."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina

from libs.runtime.health import Health
from libs.runtime.metrics import Metrics

T = TypeVar("T")
Call = Callable[[], Awaitable[None]]


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


class RetryUntilWell:
    """Calls again while the outside is in trouble, and reports the trouble as health.

    `pause` and `resume` hold the input meanwhile. Once `is_stopping` is set it does not wait any
    more: it raises what the trouble is.
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
        """Call until it succeeds; raise what is not retriable at once."""
        try:
            await call()
        except Exception as error:
            if not is_retriable(error):
                raise
            await self._until_well(call, error)

    async def _until_well(self, call: Call, error: Exception) -> None:
        def report(trouble: Exception) -> None:
            self._metrics.retries.labels(self._name).inc()
            self._health.unwell(self._name, str(trouble))

        report(error)
        self._pause()
        await retrying(call, report, lambda: self.is_stopping)
        self._resume()
        self._health.well(self._name)
