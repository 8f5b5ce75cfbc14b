"""Subscriptions: which topics a service reads, and which handler gets their events."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from libs.events.event import Event
from libs.runtime.partition_state import PartitionState


class Emit(Protocol):
    """Publishes events, each on its topic, in order."""

    async def __call__(self, *events: Event) -> None:
        """Encode all events, then publish them; if one cannot be encoded none is published."""


Finish = Callable[[Emit], Awaitable[None]]


class Handler(Protocol):
    """What a service does with events.

    `handle` raises PoisonMessage for an event that it refuses, and leaves its state unchanged.
    Other errors are retriable or defects (see `delivery.py`).
    """

    async def handle(self, event: Event, emit: Emit) -> None:
        """React to one event."""

    async def flush(self) -> None:
        """Write out what is buffered, before offsets are committed."""

    def restore(self, event: Event) -> None:
        """Restore state from a past event, without output."""

    async def begin(self, emit: Emit) -> None:
        """Act on the restored state, before the first message is delivered."""


class Runs(Protocol):
    """A handler of several events of a partition at once, with the same outcome as one by one.

    Its subscription needs `state`: when a run fails, the state before it is restored and the
    events are handled one by one.
    """

    def run_length(self, events: Sequence[Event]) -> int:
        """Return how many of the first events may be handled at once."""

    def may_wait(self, event: Event) -> bool:
        """Return whether an event may wait for the next one: alone it causes nothing."""

    async def handle_run(self, events: Sequence[Event], emit: Emit) -> None:
        """React to a run; the cause of its output is its last event."""


class Reaction:
    """A handler made of pure functions: an event in, a tuple of events out.

    The event that marks its cause as handled comes last in the tuple. A crash between two
    publishes is then repaired by the redelivery of the cause.
    """

    def __init__(
        self,
        react: Callable[[Event], Sequence[Event]],
        restore: Callable[[Event], None] | None = None,
        begin: Callable[[], Sequence[Event]] | None = None,
    ) -> None:
        self._react = react
        self._restore = restore
        self._begin = begin
        self._unpublished: tuple[Event, tuple[Event, ...]] | None = None

    async def handle(self, event: Event, emit: Emit) -> None:
        """Publish what the function returns, in order.

        Called again with the event whose reaction could not be published, it publishes that
        reaction: the function has changed its state, and would not make it again.
        """
        if self._unpublished is None or self._unpublished[0] is not event:
            self._unpublished = event, tuple(self._react(event))
        await emit(*self._unpublished[1])
        self._unpublished = None

    async def flush(self) -> None:
        """Do nothing: pure functions buffer nothing."""

    def restore(self, event: Event) -> None:
        """Call the restoring function, if there is one."""
        if self._restore is not None:
            self._restore(event)

    async def begin(self, emit: Emit) -> None:
        """Publish what the beginning function returns, if there is one."""
        if self._begin is not None:
            await emit(*self._begin())


class Timed:
    """What time alone asks for, made of pure functions: whether it is due, and the events."""

    def __init__(self, is_due: Callable[[], bool], react: Callable[[], Sequence[Event]]) -> None:
        self._is_due = is_due
        self._react = react
        self._unpublished: tuple[Event, ...] = ()

    def is_due(self) -> bool:
        """Return whether there is something to do, or to publish still."""
        return bool(self._unpublished) or self._is_due()

    async def act(self, emit: Emit) -> None:
        """Publish what the function returns; what could not be published comes first again."""
        self._unpublished = self._unpublished or tuple(self._react())
        await emit(*self._unpublished)
        self._unpublished = ()


Act = Callable[[int, Emit], Awaitable[None]]
"""Acts at a time (epoch ms), and publishes what follows."""


class Every:
    """What is done once in each `period_ms` of the service's clock.

    It is done between two messages, also under a steady flow of them, and never beside one. Without
    messages it goes on as long as the clock does; where the stamps alone are the time (replay,
    demo) it is done with the messages only, in a group that reads ticks with those, so that the
    outcome does not depend on the machine.
    """

    def __init__(self, period_ms: int, act: Act) -> None:
        if period_ms <= 0:
            raise ValueError(f"no period: {period_ms} ms")
        self._period_ms = period_ms
        self._act = act
        self._done: int | None = None

    @classmethod
    def reacting(cls, period_ms: int, react: Callable[[int], Sequence[Event]]) -> "Every":
        """Return what a pure function of the time (epoch ms) does: its events are published.

        What could not be published comes first again.
        """
        unpublished: list[tuple[Event, ...]] = []

        async def act(now_ms: int, emit: Emit) -> None:
            if not unpublished:
                unpublished.append(tuple(react(now_ms)))
            await emit(*unpublished[0])
            unpublished.clear()

        return cls(period_ms, act)

    def is_due(self, now_ms: int) -> bool:
        """Return whether it is another period, also after time was set back; not without a time."""
        return now_ms > 0 and now_ms // self._period_ms != self._done

    async def act(self, now_ms: int, emit: Emit) -> None:
        """Do it; after an error it is still due."""
        await self._act(now_ms, emit)
        self._done = now_ms // self._period_ms


@dataclass(frozen=True, slots=True)
class Subscription:
    """A consumer group of a service: which topics, and who handles them.

    `restore_topics` are read whole, one after the other, before the first message is delivered;
    there is no order between topics. `state` is for a service whose state is divided by partition:
    it is restored for the partitions that are assigned, whenever they are. `finish` is called when
    all fetched messages are handled; with `is_atomic` their output is then flushed, so that it
    becomes visible together. `timed` acts by the clock: a `Timed` once it is due and everything
    published has been handled, an `Every` in each of its periods, whatever else there is to do.
    `runs` handles several events of a partition at once. With `is_required` False the service is
    ready without this group, and a failed group is restarted. `handles_money` halts new entries
    when a business message is set aside. A commit waits for `checkpoint_records` messages where the
    policy asks for fewer; its time counts all the same.
    """

    group: str
    topics: tuple[str, ...]
    handler: Handler
    restore_topics: tuple[str, ...] = ()
    state: PartitionState | None = None
    finish: Finish | None = None
    timed: Timed | Every | None = None
    runs: Runs | None = None
    is_atomic: bool = False
    is_required: bool = True
    handles_money: bool = False
    max_records: int = 500
    checkpoint_records: int = 0

    @property
    def has_state(self) -> bool:
        """Whether an error in the middle of an event may leave state half changed."""
        return bool(self.restore_topics) or self.state is not None


@dataclass(frozen=True, slots=True)
class CheckpointPolicy:
    """How often a group commits, and how many dead letters it may write.

    With `puts_off` a group with runs handles its messages only when it must (`put_off.py`).
    """

    records: int = 2000
    milliseconds: int = 1000
    dead_letter_limit: int = 100
    puts_off: bool = False
