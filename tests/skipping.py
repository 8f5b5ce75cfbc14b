"""A loop whose time can be skipped, so that a test need not sleep to see that nothing happens."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_TURNS = 50


class SkippingLoop(asyncio.SelectorEventLoop):
    """Runs in real time, but for what is skipped: then all timers up to there are due."""

    def __init__(self) -> None:
        super().__init__()
        self._skipped = 0.0

    def time(self) -> float:
        """Return seconds of a steady clock, with those that were skipped."""
        return super().time() + self._skipped

    def skip(self, seconds: float) -> None:
        """Let so many seconds be over."""
        self._skipped += seconds


def run(story: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that may skip time."""
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(story)


async def skip(seconds: float, times: int = 1) -> None:
    """Skip so many seconds, several times, and let everybody act on it each time."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SkippingLoop), "the test does not run in a loop that can skip"
    await _let_all_act()
    for _ in range(times):
        loop.skip(seconds)
        await _let_all_act()


async def _let_all_act() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)
