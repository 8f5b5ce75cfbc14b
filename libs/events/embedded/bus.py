"""The embedded bus: partitions, groups, offsets and redelivery inside one process.

In lockstep it delivers one message at a time in publish order, so that a replay always has the
same outcome. With a journal, business topics and committed offsets are kept on disk and a restart
resumes; ticks stay in memory.
"""

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence

from libs.events.bus import Message, RebalanceListener, Record, TopicPartition
from libs.events.embedded.group import Group, LocalConsumer
from libs.events.embedded.journal import Journal
from libs.events.embedded.partition_log import PartitionLog
from libs.events.embedded.turns import Turn, Turns
from libs.events.errors import BusClosed, UnknownTopic
from libs.events.topics import TOPICS, dead_letter_topic, partition_of_key

IN_MEMORY = frozenset({"ticks"})


class LocalBus:
    """A bus for one process. `partitions` overrides the table's partition counts by topic.

    In lockstep the groups of which `is_aside` is true read at their own pace: they must publish
    nothing, so that no outcome depends on when they read.
    """

    def __init__(
        self,
        *,
        lockstep: bool = False,
        is_aside: Callable[[str], bool] = lambda group: False,
        partitions: Mapping[str, int] | None = None,
        journal: Journal | None = None,
        retained_bytes: int = 256 * 1024 * 1024,
    ) -> None:
        self._partitions = {name: topic.partitions for name, topic in TOPICS.items()}
        self._partitions |= partitions or {}
        self._partitions |= {
            dead_letter_topic(name): count for name, count in list(self._partitions.items())
        }
        self._journal = journal
        self._retained_bytes = retained_bytes
        self._logs: dict[TopicPartition, PartitionLog] = {}
        self._groups: dict[str, Group] = {}
        self._committed: dict[tuple[str, TopicPartition], int] = {}
        self._readers_of: dict[str, list[Group]] = {}
        self._sequence = 0
        self.turns = Turns(self._offer) if lockstep else None
        self._is_aside = is_aside
        self._is_open = False

    async def start(self) -> None:
        """Open and load the journal, if there is one."""
        self._is_open = True
        if self._journal is None:
            return
        self._journal.open()
        self._logs.clear()
        for message in self._journal.messages():
            self.log(message.topic_partition).append(message, self._next_sequence())
        self._committed = self._journal.offsets()

    async def stop(self) -> None:
        """Close all consumers and the journal."""
        for group in self._groups.values():
            for member in list(group.members):
                await member.close()
        self._is_open = False
        if self._journal is not None:
            self._journal.close()

    def check(self, record: Record) -> None:
        """Accept records of any size."""

    async def publish(self, record: Record) -> None:
        """Append a record and notify the groups that read its topic."""
        if not self._is_open:
            raise BusClosed("publish on a bus that is not started")
        topic_partition = self._partition_for(record)
        log = self.log(topic_partition)
        if self._journal is not None and topic_partition.topic not in IN_MEMORY:
            self._journal.append(topic_partition, record)
        message = _message(record, topic_partition, log.end)
        sequence = self._next_sequence()
        log.append(message, sequence)
        if topic_partition.topic in IN_MEMORY and self.turns is None:  # lockstep drops nothing
            log.retain(self._retained_bytes)
        for group in self._readers(topic_partition.topic):
            self._announce(group, topic_partition, sequence, message.offset)

    async def flush(self) -> None:
        """Return when all records are on disk; without a journal at once."""
        if self._journal is not None:
            self._journal.sync()

    async def confirm(self) -> None:
        """Return: the journal is locked by this process."""

    async def subscribe(
        self, group: str, topics: Sequence[str], listener: RebalanceListener | None = None
    ) -> LocalConsumer:
        """Join a group and get a share of the topics' partitions."""
        for topic in topics:
            await self.partitions(topic)
        in_turn = self.turns is not None and not self._is_aside(group)
        state = self._groups.setdefault(group, Group(group, len(self._groups), in_turn=in_turn))
        consumer = LocalConsumer(self, state, tuple(topics), listener)
        state.members.append(consumer)
        await self.rebalance(state)
        return consumer

    async def read(
        self, topics: Sequence[str], partitions: Collection[int] | None = None
    ) -> AsyncIterator[Message]:
        """Yield all messages of the topics up to now, in publish order."""
        for topic in topics:
            await self.partitions(topic)
        chosen = [
            p
            for topic in topics
            for p in self._partitions_of(topic)
            if partitions is None or p.partition in partitions
        ]
        entries = [entry for p in chosen for entry in self.log(p).entries()]
        for _, message in sorted(entries, key=lambda entry: entry[0]):
            yield message

    async def read_span(
        self, topic_partition: TopicPartition, start: int, stop: int | None = None
    ) -> AsyncIterator[Message]:
        """Yield a partition's messages from offset `start` up to `stop`, excluded."""
        await self.partitions(topic_partition.topic)
        log = self.log(topic_partition)
        end = log.end if stop is None else stop
        for message in log.slice(start, max(0, end - max(start, log.base))):
            yield message

    async def offset_at(self, topic_partition: TopicPartition, at_ms: int) -> int:
        """Return the first offset with a timestamp of `at_ms` or later, else the end offset."""
        await self.partitions(topic_partition.topic)
        log = self.log(topic_partition)
        held = (message for _, message in log.entries())
        return next((m.offset for m in held if m.timestamp_ms >= at_ms), log.end)

    def keeps(self, topic: str) -> bool:
        """Return whether a topic is in the journal."""
        return self._journal is not None and topic not in IN_MEMORY

    async def partitions(self, topic: str) -> int:
        """Return the number of partitions of a topic; raise UnknownTopic."""
        try:
            return self._partitions[topic]
        except KeyError:
            raise UnknownTopic(f"no topic is called {topic!r}") from None

    async def ping(self) -> None:
        """Return: the bus is in this process."""

    async def idle(self) -> None:
        """In lockstep: return when every group that reads in turn has handled all messages."""
        if self.turns is not None:
            await self.turns.idle()

    @property
    def dropped(self) -> int:
        """The number of in-memory records dropped before every group had read them."""
        return sum(log.dropped for log in self._logs.values())

    def committed(self, group: str, topic_partition: TopicPartition) -> int:
        """Return the group's next offset, as a restart would read it."""
        log = self.log(topic_partition)  # a crash may keep a commit and lose its records
        return min(max(self._committed.get((group, topic_partition), 0), log.base), log.end)

    def commit_offsets(self, group: Group, offsets: Mapping[TopicPartition, int]) -> None:
        """Record the offsets of a group; drop in-memory records that every group has read."""
        self._committed |= {(group.name, p): offset for p, offset in offsets.items()}
        if self._journal is not None:
            kept = {p: at for p, at in offsets.items() if p.topic not in IN_MEMORY}
            self._journal.commit(group.name, kept)
        for p in offsets:
            if p.topic in IN_MEMORY:
                self.log(p).forget_before(self._lowest_committed(p))

    def _lowest_committed(self, topic_partition: TopicPartition) -> int:
        readers = self._readers(topic_partition.topic)
        return min((self.committed(group.name, topic_partition) for group in readers), default=0)

    def _readers(self, topic: str) -> list[Group]:
        """Return the groups with a member that reads the topic."""
        readers = self._readers_of.get(topic)
        if readers is None:
            readers = [group for group in self._groups.values() if group.reads(topic)]
            self._readers_of[topic] = readers
        return readers

    def _announce(
        self, group: Group, topic_partition: TopicPartition, sequence: int, offset: int
    ) -> None:
        if self.turns is None or not group.in_turn:
            owner = group.owner_of(topic_partition)
            if owner is not None:
                owner.wake()
        else:
            self.turns.add(Turn(sequence, group.index, group.name, topic_partition, offset))

    def _offer(self, turn: Turn) -> bool:
        owner = self._groups[turn.group].owner_of(turn.partition)
        return owner is not None and owner.accept(self.log(turn.partition).at(turn.offset))

    async def rebalance(self, group: Group) -> None:
        """Reassign the partitions among a group's members."""
        async with group.changing:
            await self._reassign(group)

    async def _reassign(self, group: Group) -> None:
        self._readers_of.clear()
        shares = group.shares({p for topic in group.topics() for p in self._partitions_of(topic)})
        for member, share in shares.items():
            await member.revoke(member.assignment() - share)
        for member, share in shares.items():
            await member.assign(share - member.assignment())
        if self.turns is not None and group.in_turn:
            self.turns.replace(group.name, list(self._due_turns(group)))

    def _due_turns(self, group: Group) -> Iterator[Turn]:
        for member in group.members:
            for p in member.assignment():
                for sequence, message in self.log(p).entries(member.position(p)):
                    yield Turn(sequence, group.index, group.name, p, message.offset)

    def _partition_for(self, record: Record) -> TopicPartition:
        if record.topic not in self._partitions:
            raise UnknownTopic(f"no topic is called {record.topic!r}")
        count = self._partitions[record.topic]
        partition = record.partition
        if partition is None or partition >= count:
            partition = partition_of_key(record.key, count)
        return TopicPartition(record.topic, partition)

    def _partitions_of(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in range(self._partitions[topic])]

    def log(self, topic_partition: TopicPartition) -> PartitionLog:
        """Return the log of a partition, empty before the first record."""
        log = self._logs.get(topic_partition)
        if log is None:
            log = self._logs[topic_partition] = PartitionLog()
        return log

    def _next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence


def _message(record: Record, topic_partition: TopicPartition, offset: int) -> Message:
    return Message(
        topic=topic_partition.topic,
        partition=topic_partition.partition,
        offset=offset,
        key=record.key,
        value=record.value,
        timestamp_ms=record.timestamp_ms,
        headers=record.headers,
    )
