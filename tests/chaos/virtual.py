"""Virtual time: a loop that jumps to its next timer, and the program's clocks that follow it."""

import asyncio
import selectors
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from libs.runtime import clock

T = TypeVar("T")
_NANOSECONDS, _NS_PER_MS = 1_000_000_000, 1_000_000


class Stuck(AssertionError):
    """Everything waits, and no timer is left that could end it."""


class _Jumps(selectors.SelectSelector):
    """A selector that waits for nobody: the time that it should wait is over at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """Let the time pass; there is no I/O in a world of one process."""
        if timeout is None:
            raise Stuck("everything waits, and no timer is left")
        self.now += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time begins at 0 and passes only while everybody waits."""

    def __init__(self) -> None:
        self._jumps = _Jumps()
        super().__init__(self._jumps)
        self._clock_resolution = 1e-9
        self.set_exception_handler(_ignore)

    def time(self) -> float:
        """Return the seconds since the beginning."""
        return self._jumps.now


class _VirtualTime:
    """What `libs.runtime.clock` needs of the module `time`."""

    def __init__(self, loop: VirtualLoop, start_ms: int) -> None:
        self._loop, self._start_ms = loop, start_ms

    def monotonic_ns(self) -> int:
        """Return the loop's time."""
        return round(self._loop.time() * _NANOSECONDS)

    def time_ns(self) -> int:
        """Return the time of the day that is played."""
        return self._start_ms * _NS_PER_MS + self.monotonic_ns()


def play(story: Coroutine[Any, Any, T], start_ms: int) -> T:
    """Run a coroutine in virtual time that begins at `start_ms` (epoch ms)."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        with clocks_of(loop, start_ms):
            return runner.run(story)


@contextmanager
def clocks_of(loop: VirtualLoop, start_ms: int) -> Iterator[None]:
    """Let the clocks of the program follow a loop."""
    real = vars(clock)["time"]
    vars(clock)["time"] = _VirtualTime(loop, start_ms)
    try:
        yield
    finally:
        vars(clock)["time"] = real


def _ignore(_loop: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
    """Say nothing of the tasks of killed processes."""
