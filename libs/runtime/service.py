"""What a service is: a name, subscriptions, and tasks of its own."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter

from libs.events.bus import Bus
from libs.runtime.access import Access
from libs.runtime.clock import Clock
from libs.runtime.health import Look, Waiting
from libs.runtime.metrics import Metrics
from libs.runtime.stamping import CurrentStamps
from libs.runtime.subscription import Emit, Subscription
from libs.store.store import Store
from libs.store.writer import RowBuffer, Rows, TableWriter

Task = Callable[[Emit], Awaitable[None]]


_WRITER = ".writer."
_GATHERED = 100_000
"""Messages of small batches that may make one insert, if they come within the checkpoint's time."""


def is_writer(group: str) -> bool:
    """Return whether a group fills a table: it publishes nothing."""
    return _WRITER in group


@dataclass(frozen=True, slots=True)
class Parts:
    """What a service is built from besides its settings; without a store nothing is stored.

    `waiting` is where the service says what it waits for; `stamps` says when each hop had the
    message that it handles, if it passes them on to its `Service`. In a replay (`is_replay`) the
    outcome must not depend on how fast the machine is. `member` is this process's own name among
    those of its service, "" for one that is alone.
    """

    bus: Bus
    clock: Clock
    metrics: Metrics
    store: Store | None = None
    waiting: Waiting = field(default_factory=Waiting)
    is_replay: bool = False
    stamps: CurrentStamps = field(default_factory=CurrentStamps)
    member: str = ""

    def of_member(self, group: str) -> str:
        """Return the name of a group that each process has for itself: it reads all partitions."""
        return f"{group}.{self.member}" if self.member else group

    def writer(
        self, service: str, topics: tuple[str, ...], table: str, rows: Rows | RowBuffer
    ) -> Subscription:
        """Return the consumer group that fills a table from topics."""
        if self.store is None:
            raise RuntimeError(f"no store for the writer of {table}")
        writer = TableWriter(self.store, table, rows, self.metrics.note_insert)
        group = f"{service}{_WRITER}{table}"
        return Subscription(
            group,
            topics,
            writer,
            restore_topics=writer.restore_topics,
            is_required=False,
            checkpoint_records=_GATHERED if isinstance(rows, RowBuffer) else 0,
        )

    def writers(
        self, service: str, tables: Mapping[str, tuple[tuple[str, ...], Rows | RowBuffer]]
    ) -> tuple[Subscription, ...]:
        """Return the writers of a service's tables, none without a store."""
        if self.store is None:
            return ()
        return tuple(
            self.writer(service, topics, table, rows) for table, (topics, rows) in tables.items()
        )


@dataclass(frozen=True, slots=True)
class Service:
    """A service, to be run by `ServiceRunner`.

    `prepare` runs before the subscriptions start (warm-up, for example). `tasks` come to an end by
    themselves (the feed of ingest); `background` tasks run until the service stops (the broker's
    order updates). At a stop both are cancelled first, and `close` is awaited last to release
    connections. `looks_up` names topics that are read whole when something in them is needed.
    `describe` is shown at /info; `measure` sets the service's own gauges before /metrics is read;
    `private` names the first parts of paths at which only these may ask.
    `links` (path, what is there) and the text `note` are on its page at /.
    While `waiting` has a reason the service is ready although it cannot work yet. `stamps` are
    those of the one group that the service is not ready without. `looks` say, by component, why it
    is not ready now.
    """

    name: str
    subscriptions: tuple[Subscription, ...] = ()
    prepare: Task | None = None
    looks_up: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = ()
    background: tuple[Task, ...] = ()
    close: Callable[[], Awaitable[None]] | None = None
    describe: Callable[[], dict[str, Any]] = field(default=dict)
    measure: Callable[[], None] | None = None
    router: APIRouter | None = None
    private: Mapping[str, Access] = field(default_factory=dict)
    links: tuple[tuple[str, str], ...] = ()
    note: str = ""
    waiting: Waiting = field(default_factory=Waiting)
    stamps: CurrentStamps = field(default_factory=CurrentStamps)
    looks: Mapping[str, Look] = field(default_factory=dict)
