"""The embedded bus: partitions, groups, offsets and redelivery inside one process.

Free-running by default; in lockstep it delivers one message at a time in publish order, so
that a replay has the same outcome each time. With a journal, business topics and committed
offsets are on disk and a restart resumes; ticks stay in memory.
"""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence

from libs.events.bus import Message, RebalanceListener, Record, TopicPartition
from libs.events.embedded.group import Group, LocalConsumer
from libs.events.embedded.journal import Journal
from libs.events.embedded.partition_log import PartitionLog
from libs.events.embedded.turns import Turn, Turns
from libs.events.errors import BusClosed, UnknownTopic
from libs.events.topics import TOPICS, dead_letter_topic, partition_of_key

IN_MEMORY = frozenset({"ticks"})


class LocalBus:
    """A bus for one process. `partitions` overrides the table's numbers by topic."""

    def __init__(
        self,
        *,
        lockstep: bool = False,
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
        self._is_open = False

    async def start(self) -> None:
        """Open the journal, if there is one, and load what it holds."""
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
        """Take records of any size."""

    async def publish(self, record: Record) -> None:
        """Append a record and tell the groups that read its topic."""
        if not self._is_open:
            raise BusClosed("publish on a bus that is not started")
        place = self._place(record)
        log = self.log(place)
        if self._journal is not None and place.topic not in IN_MEMORY:
            self._journal.append(place, record)
        message = _message(record, place, log.end)
        sequence = self._next_sequence()
        log.append(message, sequence)
        if place.topic in IN_MEMORY and self.turns is None:  # a turn is never skipped
            log.retain(self._retained_bytes)
        for group in self._readers(place.topic):
            self._announce(group, place, sequence, message.offset)

    async def flush(self) -> None:
        """Return when all that was published is on disk (or at once, without a journal)."""
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
        state = self._groups.setdefault(group, Group(group, len(self._groups)))
        consumer = LocalConsumer(self, state, tuple(topics), listener)
        state.members.append(consumer)
        await self.rebalance(state)
        return consumer

    async def read(
        self, topics: Sequence[str], partitions: Collection[int] | None = None
    ) -> AsyncIterator[Message]:
        """Yield what the topics hold now, in publish order, and end."""
        for topic in topics:
            await self.partitions(topic)
        places = [
            place
            for topic in topics
            for place in self._places(topic)
            if partitions is None or place.partition in partitions
        ]
        entries = [entry for place in places for entry in self.log(place).entries()]
        for _, message in sorted(entries, key=lambda entry: entry[0]):
            yield message

    async def read_span(
        self, place: TopicPartition, start: int, stop: int | None = None
    ) -> AsyncIterator[Message]:
        """Yield what a partition holds from one offset up to another, excluded, and end."""
        await self.partitions(place.topic)
        log = self.log(place)
        end = log.end if stop is None else stop
        for message in log.slice(start, max(0, end - max(start, log.base))):
            yield message

    async def offset_at(self, place: TopicPartition, at_ms: int) -> int:
        """Return the first offset stamped `at_ms` or later, the end where there is none."""
        await self.partitions(place.topic)
        log = self.log(place)
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
        """Return: what is in the process is there."""

    async def idle(self) -> None:
        """In lockstep: return when every group has handled everything."""
        if self.turns is not None:
            await self.turns.idle()

    @property
    def dropped(self) -> int:
        """How many in-memory records were dropped before every group had read them."""
        return sum(log.dropped for log in self._logs.values())

    def committed(self, group: str, place: TopicPartition) -> int:
        """Return the next offset that the group would read after a restart."""
        log = self.log(place)  # a dead machine may have lost records, and kept their commit
        return min(max(self._committed.get((group, place), 0), log.base), log.end)

    def commit_offsets(self, group: Group, offsets: Mapping[TopicPartition, int]) -> None:
        """Record the offsets of a group, and forget what every group has read."""
        self._committed |= {(group.name, place): offset for place, offset in offsets.items()}
        if self._journal is not None:
            kept = {place: at for place, at in offsets.items() if place.topic not in IN_MEMORY}
            self._journal.commit(group.name, kept)
        for place in offsets:
            if place.topic in IN_MEMORY:
                self.log(place).forget_before(self._lowest_committed(place))

    def _lowest_committed(self, place: TopicPartition) -> int:
        readers = self._readers(place.topic)
        return min((self.committed(group.name, place) for group in readers), default=0)

    def _readers(self, topic: str) -> list[Group]:
        """Return the groups with a member that reads the topic."""
        readers = self._readers_of.get(topic)
        if readers is None:
            readers = [group for group in self._groups.values() if group.reads(topic)]
            self._readers_of[topic] = readers
        return readers

    def _announce(self, group: Group, place: TopicPartition, sequence: int, offset: int) -> None:
        if self.turns is None:
            owner = group.owner_of(place)
            if owner is not None:
                owner.wake()
        else:
            self.turns.add(Turn(sequence, group.index, group.name, place, offset))

    def _offer(self, turn: Turn) -> bool:
        owner = self._groups[turn.group].owner_of(turn.place)
        return owner is not None and owner.accept(self.log(turn.place).at(turn.offset))

    async def rebalance(self, group: Group) -> None:
        """Deal the partitions out anew among a group's members."""
        async with group.changing:
            await self._deal_out(group)

    async def _deal_out(self, group: Group) -> None:
        self._readers_of.clear()
        shares = group.shares({p for topic in group.topics() for p in self._places(topic)})
        for member, share in shares.items():
            await member.revoke(member.assignment() - share)
        for member, share in shares.items():
            await member.assign(share - member.assignment())
        if self.turns is not None:
            self.turns.replace(group.name, list(self._due_turns(group)))

    def _due_turns(self, group: Group) -> Iterator[Turn]:
        for member in group.members:
            for place in member.assignment():
                for sequence, message in self.log(place).entries(member.position(place)):
                    yield Turn(sequence, group.index, group.name, place, message.offset)

    def _place(self, record: Record) -> TopicPartition:
        if record.topic not in self._partitions:
            raise UnknownTopic(f"no topic is called {record.topic!r}")
        count = self._partitions[record.topic]
        partition = record.partition
        if partition is None or partition >= count:
            partition = partition_of_key(record.key, count)
        return TopicPartition(record.topic, partition)

    def _places(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in range(self._partitions[topic])]

    def log(self, place: TopicPartition) -> PartitionLog:
        """Return the log of a partition, empty before the first record."""
        log = self._logs.get(place)
        if log is None:
            log = self._logs[place] = PartitionLog()
        return log

    def _next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence


def _message(record: Record, place: TopicPartition, offset: int) -> Message:
    return Message(
        topic=place.topic,
        partition=place.partition,
        offset=offset,
        key=record.key,
        value=record.value,
        timestamp_ms=record.timestamp_ms,
        headers=record.headers,
    )
