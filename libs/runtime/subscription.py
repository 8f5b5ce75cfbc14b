"""What a service says to the shell: which topics it reads, and who handles their events."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from libs.events.event import Event
from libs.runtime.handover import PartitionState


class Emit(Protocol):
    """Publishes events, each on its topic, in order."""

    async def __call__(self, *events: Event) -> None:
        """Encode every event, then publish the first: one that cannot be encoded stops all."""


Finish = Callable[[Emit], Awaitable[None]]


class Handler(Protocol):
    """What a service does with events.

    `handle` raises PoisonMessage for an event that it refuses, with its state untouched. Any other
    error that does not say of itself whether it is retriable is a defect (see `delivery.py`).
    """

    async def handle(self, event: Event, emit: Emit) -> None:
        """React to one event."""

    async def flush(self) -> None:
        """Write out what is buffered, before offsets are committed."""

    def restore(self, event: Event) -> None:
        """Rebuild state from an event of the past, with no output."""

    async def begin(self, emit: Emit) -> None:
        """Act on the restored state, before the first message is delivered."""


class Runs(Protocol):
    """A handler that takes several events of a partition at once, with the same outcome.

    Its subscription has `state`: a run that fails is taken back, and handled event by event.
    """

    def run_length(self, events: Sequence[Event]) -> int:
        """Return how many of the events, from the first on, may be taken at once."""

    async def handle_run(self, events: Sequence[Event], emit: Emit) -> None:
        """React to a run; what comes out is caused by its last event."""


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

    async def handle(self, event: Event, emit: Emit) -> None:
        """Publish what the function returns, in order."""
        await emit(*self._react(event))

    async def flush(self) -> None:
        """Do nothing: pure functions buffer nothing."""

    def restore(self, event: Event) -> None:
        """Hand a past event to the restoring function, if there is one."""
        if self._restore is not None:
            self._restore(event)

    async def begin(self, emit: Emit) -> None:
        """Publish what the beginning function returns, if there is one."""
        if self._begin is not None:
            await emit(*self._begin())


@dataclass(frozen=True, slots=True)
class Subscription:
    """A consumer group of a service: which topics, and who handles them.

    `restore_topics` are read one after the other, each from its beginning as far as it reaches,
    before the first message is delivered: no bus keeps an order between topics. A service whose
    state belongs to partitions names it as `state`: it is then rebuilt for exactly the partitions
    that the member gets, whenever it gets them. `finish` is called when the messages at hand are
    handled; with `is_atomic` what they made is then acknowledged, so that it appears together.
    `runs` takes several events of a partition at once. `is_required` False keeps the service
    ready without this group, and starts the group again when it fails. `handles_money` halts new
    entries when a business message is set aside.
    """

    group: str
    topics: tuple[str, ...]
    handler: Handler
    restore_topics: tuple[str, ...] = ()
    state: PartitionState | None = None
    finish: Finish | None = None
    runs: Runs | None = None
    is_atomic: bool = False
    is_required: bool = True
    handles_money: bool = False
    max_records: int = 500

    @property
    def has_state(self) -> bool:
        """Whether a failure in the middle of an event may leave something half changed."""
        return bool(self.restore_topics) or self.state is not None


@dataclass(frozen=True, slots=True)
class CheckpointPolicy:
    """How often a group commits, and how many dead letters it may write."""

    records: int = 2000
    milliseconds: int = 1000
    dead_letter_limit: int = 100
