"""One subscriber of the dispatcher: a handler with a queue, a task and threads."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from inspect import isawaitable
from typing import Any, Literal

from libs.events.dispatcher.off_loop import STUCK_CALLS, OffLoop, is_async, run_to_end
from libs.events.event import Event

Kind = type[Event] | str
"""An event class (with its subclasses), or a type's name: `OrderFilled`, `Order*`, `*`."""
Handler = Callable[[Any], Awaitable[None] | None]
"""An `async def`, which must not block, or a plain function, which is called in a thread."""
_STOPPED = "stopped before it was handled"
Outcome = Literal["handled", "failed", "timed_out", "filtered", "refused", "abandoned"]


@dataclass(slots=True)
class Statistics:
    """Counts of events by outcome; `dispatched` is their sum plus the pending ones.

    `refused`: the queue was full, or too many calls are stuck; `abandoned`: stopped before it
    was handled; `seconds`: time in handlers; `stuck` (of a subscriber only): calls in threads
    that still run after their timeout.
    """

    dispatched: int = 0
    handled: int = 0
    failed: int = 0
    timed_out: int = 0
    filtered: int = 0
    refused: int = 0
    abandoned: int = 0
    seconds: float = 0.0
    stuck: int = 0

    def count(self, outcome: Outcome, seconds: float) -> None:
        """Add one event."""
        setattr(self, outcome, getattr(self, outcome) + 1)
        self.seconds += seconds


@dataclass(frozen=True, slots=True)
class Terms:
    """The arguments of `subscribe`. No kinds: all events. No capacity: an unbounded queue."""

    name: str
    handler: Handler
    kinds: tuple[Kind, ...]
    where: Callable[[Any], bool] | None
    priority: int
    timeout_seconds: float | None
    capacity: int | None
    off_loop: bool


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of an event at a subscriber, and why it was not handled."""

    event: Event
    outcome: Outcome
    seconds: float = 0.0
    reason: str = ""


class Subscriber:
    """Handles the events offered to it, one at a time, in order.

    An error of `report` ends the task and is raised by `check`.
    """

    def __init__(
        self,
        terms: Terms,
        report: Callable[["Subscriber", Report], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        self.terms = terms
        self._counts = Statistics()
        self._threads = OffLoop(terms.name)
        self._is_off_loop = terms.off_loop or not is_async(terms.handler)
        self._report = report
        self._clock = clock
        self._due: deque[Event] = deque()
        self._has_work = asyncio.Event()
        self._is_idle = asyncio.Event()
        self._is_leaving = False
        self._worker: asyncio.Task[None] | None = None

    @property
    def statistics(self) -> Statistics:
        """The counts of the events offered so far."""
        return replace(self._counts, stuck=self._threads.stuck)

    def count(self, outcome: Outcome, seconds: float) -> None:
        """Add one event to the statistics."""
        self._counts.count(outcome, seconds)

    @property
    def pending(self) -> int:
        """The number of events that wait or are being handled."""
        return len(self._due)

    @property
    def is_working(self) -> bool:
        """Whether its task is running."""
        return self._worker is not None and not self._worker.done()

    def start(self) -> None:
        """Start the task."""
        self._worker = asyncio.create_task(self._work(), name=f"subscriber {self.terms.name}")
        self._worker.add_done_callback(lambda _: self._is_idle.set())

    def wants(self, event: Event) -> bool:
        """Return whether the event is of the subscribed kinds."""
        return is_of(event, self.terms.kinds)

    def offer(self, event: Event) -> bool:
        """Queue an event; return False if the queue is full."""
        self.check()
        self._counts.dispatched += 1
        if self.terms.capacity is not None and len(self._due) >= self.terms.capacity:
            return False
        self._due.append(event)
        self._is_idle.clear()
        self._has_work.set()
        return True

    def leave(self) -> None:
        """End the task after the events offered so far."""
        self._is_leaving = True
        self._has_work.set()

    async def idle(self) -> None:
        """Return when the queue is empty; raise the error that ended the task, if one did."""
        if self._due:
            await self._is_idle.wait()
        self.check()

    def check(self) -> None:
        """Raise the error that ended the task, if one did."""
        if self._worker is not None and self._worker.done() and not self._worker.cancelled():
            self._worker.result()

    async def end(self) -> list[Report]:
        """End the task at once; return reports of the unhandled events."""
        stuck = self._threads.stuck
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait([self._worker])
        left = [Report(event, "abandoned", reason=_STOPPED) for event in self._due]
        if left:
            left[0] = replace(left[0], reason=self._reason(_STOPPED, stuck))
        self._due.clear()
        return left

    async def _work(self) -> None:
        while not self._is_leaving or self._due:
            await self._has_work.wait()
            while self._due:
                await self._report(self, await self._handle(self._due[0]))
                self._due.popleft()
            self._has_work.clear()
            self._is_idle.set()

    async def _handle(self, event: Event) -> Report:
        started, limit = self._clock(), asyncio.timeout(self.terms.timeout_seconds)
        stuck = self._threads.stuck
        outcome: Outcome = "failed"
        try:
            async with limit:
                outcome, reason = await self._offered_to_handler(event)
        except asyncio.CancelledError as error:
            if _is_ending():
                raise
            reason = _in_words(error)
        except Exception as error:  # noqa: BLE001  isolation: it is reported, others go on
            reason = _in_words(error)
        if limit.expired() and outcome == "failed":
            outcome = "timed_out"
            reason = self._reason(f"not handled within {self.terms.timeout_seconds:g} s", stuck)
        return Report(event, outcome, self._clock() - started, reason)

    async def _offered_to_handler(self, event: Event) -> tuple[Outcome, str]:
        if self.terms.where is not None and not self.terms.where(event):
            return "filtered", ""
        if self._threads.stuck >= STUCK_CALLS:
            return "refused", f"{STUCK_CALLS} calls before it still run"
        result = await self._called(event) if self._is_off_loop else self.terms.handler(event)
        if isawaitable(result):
            await result
        return "handled", ""

    async def _called(self, event: Event) -> Awaitable[None] | None:
        handler = self.terms.handler
        function = partial(run_to_end, handler) if self.terms.off_loop else handler
        result: Awaitable[None] | None = await self._threads.call(function, event)
        return result

    def _reason(self, reason: str, stuck: int) -> str:
        """Add a note if the call still runs, which is so if more calls are stuck than before."""
        return f"{reason}, its call still runs" if self._threads.stuck > stuck else reason


def _is_ending() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def is_of(event: Event, kinds: tuple[Kind, ...]) -> bool:
    """Return whether an event is of one of the kinds; no kinds mean all."""
    return not kinds or any(
        isinstance(event, kind) if isinstance(kind, type) else fnmatchcase(event.type, kind)
        for kind in kinds
    )
