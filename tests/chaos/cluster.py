"""A message broker in memory: topics that outlive processes, groups, transactions and fences."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from libs.events.bus import Consumer, Message, RebalanceListener, Record, TopicPartition
from libs.events.codec import decode, record_of
from libs.events.errors import BusUnavailable, Fenced
from libs.events.event import Event

TRANSACTION_SECONDS = 10.0
"""The broker aborts a transaction that is open for longer, and fences its producer."""
ACKNOWLEDGED_SECONDS = 10.0
"""How long a flush waits for its acknowledgement."""
IDLE_SECONDS = 0.4
Gate = Callable[[str], Awaitable[None]]


class Cluster:
    """Topics with one partition each; what is appended stays."""

    def __init__(self) -> None:
        self.logs: dict[str, list[Message]] = {}
        self.epochs: Counter[str] = Counter()
        self.committed: dict[tuple[str, str], int] = {}
        self.readers: dict[str, Member] = {}
        self._events: dict[int, Event] = {}
        self._kept: list[Message] = []

    def log(self, topic: str) -> list[Message]:
        """Return a topic's messages."""
        return self.logs.setdefault(topic, [])

    def append(self, record: Record) -> Message:
        """Append a record that is acknowledged; wake whoever waits for it."""
        log = self.log(record.topic)
        message = Message(
            record.topic,
            0,
            len(log),
            record.key,
            record.value,
            record.timestamp_ms,
            record.headers,
        )
        log.append(message)
        for member in self.readers.values():
            member.wake(record.topic)
        return message

    def publish(self, event: Event) -> None:
        """Publish an event of the outside; one that is only delivered need not be encoded."""
        if event.type == "TickBatch":
            record = Record("ticks", "", b"", event.occurred_ms)
        else:
            record = record_of(event, partitions=1)
        message = self.append(record)
        self._events[id(message)] = event
        self._kept.append(message)

    def event_of(self, message: Message) -> Event:
        """Return the event of a message, decoded once."""
        known = self._events.get(id(message))
        if known is None:
            known = self._events[id(message)] = decode(message.topic, message.value)
            self._kept.append(message)
        return known

    def events(self, topic: str) -> list[Event]:
        """Return everything on a topic."""
        return [self.event_of(message) for message in self.log(topic)]


@dataclass(slots=True)
class Transaction:
    """What was published since the last flush, and when that began (loop's time)."""

    records: list[Record] = field(default_factory=list)
    since: float | None = None


class Connection:
    """The bus as one process has it; `gate` is passed before and after each step."""

    def __init__(self, cluster: Cluster, fence: str, gate: Gate) -> None:
        self._cluster, self._fence, self._gate = cluster, fence, gate
        self._epoch = 0
        self._open = Transaction()
        self._failure: Fenced | None = None
        self._ending: asyncio.Future[None] | None = None
        self.late_seconds = 0.0
        """How late the next acknowledgement comes; set by a fault."""

    async def start(self) -> None:
        """Take the fence: whoever had it is refused from now on."""
        self._cluster.epochs[self._fence] += 1
        self._epoch = self._cluster.epochs[self._fence]

    async def stop(self) -> None:
        """Have nothing to close."""

    def check(self, record: Record) -> None:
        """Accept records of any size."""

    async def publish(self, record: Record) -> None:
        """Queue a record in the transaction that the next flush commits."""
        await self._gate("publish.before")
        await self._settled()
        self._check()
        if self._open.since is None:
            self._open.since = _now()
        self._open.records.append(record)
        await self._gate("publish.after")

    async def flush(self) -> None:
        """Commit the transaction."""
        await self._gate("flush.before")
        await self._end({})
        await self._gate("flush.after")

    async def confirm(self) -> None:
        """Return if this process still holds the fence; what is queued is committed with it."""
        await self._gate("confirm.before")
        await self._end({("", ""): 0})
        await self._gate("confirm.after")

    async def commit(self, offsets: Mapping[tuple[str, str], int]) -> None:
        """Commit offsets by group and topic together with what is queued."""
        await self._gate("commit.before")
        await self._end(offsets)
        await self._gate("commit.after")

    async def subscribe(
        self, group: str, topics: Sequence[str], listener: RebalanceListener | None = None
    ) -> Consumer:
        """Join a group: the newest member gets all partitions, at once."""
        member = Member(self, self._cluster, group, tuple(topics))
        before = self._cluster.readers.get(group)
        if before is not None:
            before.is_member = False
        self._cluster.readers[group] = member
        if listener is not None:
            await listener.on_assigned(member.assignment())
        return member

    async def read(
        self, topics: Sequence[str], partitions: Collection[int] | None = None
    ) -> AsyncIterator[Message]:
        """Yield all messages of the topics up to now."""
        for topic in topics:
            await self._gate("read.before")
            for message in list(self._cluster.log(topic)):
                yield message

    async def read_span(
        self, topic_partition: TopicPartition, start: int, stop: int | None = None
    ) -> AsyncIterator[Message]:
        """Yield a topic's messages from offset `start` up to `stop`, excluded."""
        for message in self._cluster.log(topic_partition.topic)[start:stop]:
            yield message

    async def offset_at(self, topic_partition: TopicPartition, at_ms: int) -> int:
        """Return the first offset with a timestamp of `at_ms` or later, else the end offset."""
        log = self._cluster.log(topic_partition.topic)
        return next((one.offset for one in log if one.timestamp_ms >= at_ms), len(log))

    def keeps(self, topic: str) -> bool:
        """Return True: all records survive the process."""
        return True

    async def partitions(self, topic: str) -> int:
        """Return 1."""
        return 1

    async def ping(self) -> None:
        """Return when the bus answers."""
        await self._gate("ping.before")

    def _check(self) -> None:
        """Raise Fenced for a successor's existence, or for a transaction that was aborted."""
        if self._failure is not None:
            raise self._failure
        if self._cluster.epochs[self._fence] != self._epoch:
            self._failure = Fenced("another process took the fence")
        elif self._open.since is not None and _now() - self._open.since > TRANSACTION_SECONDS:
            self._failure = Fenced("the transaction was open for too long")
        if self._failure is not None:
            raise self._failure

    async def _end(self, offsets: Mapping[tuple[str, str], int]) -> None:
        await self._settled()
        self._check()
        if not self._open.records and not offsets:
            return
        late, self.late_seconds = self.late_seconds, 0.0
        if not late:
            self._commit(self._open, offsets)
            return
        ending = asyncio.get_running_loop().create_future()
        self._ending, transaction = ending, self._open

        def end() -> None:
            self._commit(transaction, offsets)
            ending.set_result(None)

        asyncio.get_running_loop().call_later(late, end)
        await self._settled()

    async def _settled(self) -> None:
        """Wait for a commit that is under way; BusUnavailable after a while, and once more then."""
        if self._ending is None:
            return
        try:
            await asyncio.wait_for(asyncio.shield(self._ending), ACKNOWLEDGED_SECONDS)
        except TimeoutError:
            raise BusUnavailable("end a transaction: no answer in time") from None
        self._ending = None

    def _commit(self, transaction: Transaction, offsets: Mapping[tuple[str, str], int]) -> None:
        """Make the records visible together with the offsets."""
        if self._open is transaction:
            self._open = Transaction()
        for record in transaction.records:
            self._cluster.append(record)
        self._cluster.committed |= {key: at for key, at in offsets.items() if key[0]}


class Member:
    """A member of a group."""

    def __init__(
        self, connection: Connection, cluster: Cluster, group: str, topics: tuple[str, ...]
    ) -> None:
        self.topics = frozenset(topics)
        self.is_member = True
        self._connection, self._cluster, self._group = connection, cluster, group
        self._at = {one: cluster.committed.get((group, one), 0) for one in topics}
        self._order = topics
        self._rounds = 0
        self._is_paused = False
        self._waiting: asyncio.Future[None] | None = None

    async def fetch(self, max_records: int, timeout_seconds: float) -> list[Message]:
        """Return the next messages; none after a while."""
        await self._connection._gate("fetch.before")
        await asyncio.sleep(0)
        if not (taken := self._take(max_records)):
            self._waiting = asyncio.get_running_loop().create_future()
            timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._wake)
            try:
                await self._waiting
            finally:
                timer.cancel()
                self._waiting = None
            taken = self._take(max_records)
        return taken

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Record the next offsets to read."""
        if self.is_member:
            await self._connection.commit(
                {(self._group, one.topic): at for one, at in offsets.items()}
            )

    def assignment(self) -> frozenset[TopicPartition]:
        """Return the partitions of this member."""
        return frozenset(TopicPartition(topic, 0) for topic in self._order)

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Stop delivery."""
        self._is_paused = True

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Continue delivery."""
        self._is_paused = False
        self._wake()

    async def lag(self) -> dict[TopicPartition, int]:
        """Return how many records are not committed yet."""
        logs, committed = self._cluster.logs, self._cluster.committed
        return {
            TopicPartition(one, 0): len(logs.get(one, ())) - committed.get((self._group, one), 0)
            for one in self._order
        }

    async def committed(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the next offset of the group in each partition."""
        known = self._cluster.committed
        return {one: known.get((self._group, one.topic), 0) for one in partitions}

    async def close(self) -> None:
        """Leave the group."""
        if self._cluster.readers.get(self._group) is self:
            del self._cluster.readers[self._group]
        self.is_member = False

    def wake(self, topic: str) -> None:
        """End a wait if the topic is one of ours."""
        if topic in self.topics:
            self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _take(self, max_records: int) -> list[Message]:
        """Take from each topic in turn: there is no order between topics."""
        if self._is_paused or not self.is_member:
            return []
        taken: list[Message] = []
        self._rounds += 1
        start = self._rounds % len(self._order)
        for topic in self._order[start:] + self._order[:start]:
            log, at = self._cluster.log(topic), self._at[topic]
            if at < len(log):
                new = log[at : at + max_records - len(taken)]
                self._at[topic] = at + len(new)
                taken += new
        return taken


def _now() -> float:
    return asyncio.get_running_loop().time()
