"""How fast frames are published: as the feed delivers them, or as recorded, times a factor."""

from collections.abc import Awaitable, Callable

from libs.runtime.clock import monotonic_ms


async def unpaced(_: int) -> None:
    """Do not wait: the feed sets the pace."""


def paced(
    speed: float, sleep: Callable[[float], Awaitable[None]]
) -> Callable[[int], Awaitable[None]]:
    """Return a pace that waits for the time between frames, divided by `speed`."""
    started: list[int] = []

    async def pace(frame_ms: int) -> None:
        if not started:
            started.extend((monotonic_ms(), frame_ms))
        due_ms = started[0] + (frame_ms - started[1]) / speed
        await sleep(max(0.0, (due_ms - monotonic_ms()) / 1000))

    return pace
