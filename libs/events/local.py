"""The embedded bus: partitions, groups, offsets and redelivery inside one process.

Free-running by default; in lockstep it delivers one message at a time in publish order, so
that a replay has the same outcome each time. With a journal, business topics and committed
offsets are on disk and a restart resumes; ticks stay in memory.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence

from libs.events.bus import Message, RebalanceListener, Record, TopicPartition
from libs.events.errors import BusClosed, UnknownTopic
from libs.events.journal import Journal
from libs.events.partition_log import PartitionLog
from libs.events.topics import TOPICS, dead_letter_topic, partition_of_key
from libs.events.turns import Turn, Turns

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
        self._groups: dict[str, _Group] = {}
        self._committed: dict[tuple[str, TopicPartition], int] = {}
        self._readers_of: dict[str, list[_Group]] = {}
        self._sequence = 0
        self._turns = Turns(self._offer) if lockstep else None
        self._is_open = False

    async def start(self) -> None:
        """Open the journal, if there is one, and load what it holds."""
        self._is_open = True
        if self._journal is None:
            return
        self._journal.open()
        self._logs.clear()
        for message in self._journal.messages():
            self._log(message.topic_partition).append(message, self._next_sequence())
        self._committed = self._journal.offsets()

    async def stop(self) -> None:
        """Close all consumers and the journal."""
        for group in self._groups.values():
            for member in list(group.members):
                await member.close()
        self._is_open = False
        if self._journal is not None:
            self._journal.close()

    async def publish(self, record: Record) -> None:
        """Append a record and tell the groups that read its topic."""
        if not self._is_open:
            raise BusClosed("publish on a bus that is not started")
        place = self._place(record)
        log = self._log(place)
        if self._journal is not None and place.topic not in IN_MEMORY:
            self._journal.append(place, record)
        message = _message(record, place, log.end)
        sequence = self._next_sequence()
        log.append(message, sequence)
        if place.topic in IN_MEMORY and self._turns is None:  # a turn is never skipped
            log.retain(self._retained_bytes)
        for group in self._readers(place.topic):
            self._announce(group, place, sequence, message.offset)

    async def flush(self) -> None:
        """Return when all that was published is on disk (or at once, without a journal)."""
        if self._journal is not None:
            self._journal.sync()

    async def subscribe(
        self, group: str, topics: Sequence[str], listener: RebalanceListener | None = None
    ) -> "LocalConsumer":
        """Join a group and get a share of the topics' partitions."""
        for topic in topics:
            await self.partitions(topic)
        state = self._groups.setdefault(group, _Group(group, len(self._groups)))
        consumer = LocalConsumer(self, state, tuple(topics), listener)
        state.members.append(consumer)
        await self._rebalance(state)
        return consumer

    async def read(self, topics: Sequence[str]) -> AsyncIterator[Message]:
        """Yield what the topics hold now, in publish order, and end."""
        for topic in topics:
            await self.partitions(topic)
        places = [place for topic in topics for place in self._places(topic)]
        entries = [entry for place in places for entry in self._log(place).entries()]
        for _, message in sorted(entries, key=lambda entry: entry[0]):
            yield message

    async def partitions(self, topic: str) -> int:
        """Return the number of partitions of a topic; raise UnknownTopic."""
        try:
            return self._partitions[topic]
        except KeyError:
            raise UnknownTopic(f"no topic is called {topic!r}") from None

    async def idle(self) -> None:
        """In lockstep: return when every group has handled everything."""
        if self._turns is not None:
            await self._turns.idle()

    @property
    def dropped(self) -> int:
        """How many in-memory records were dropped before every group had read them."""
        return sum(log.dropped for log in self._logs.values())

    def committed(self, group: str, place: TopicPartition) -> int:
        """Return the next offset that the group would read after a restart."""
        log = self._log(place)  # a dead machine may have lost records, and kept their commit
        return min(max(self._committed.get((group, place), 0), log.base), log.end)

    def _commit(self, group: "_Group", offsets: Mapping[TopicPartition, int]) -> None:
        self._committed |= {(group.name, place): offset for place, offset in offsets.items()}
        if self._journal is not None:
            kept = {place: at for place, at in offsets.items() if place.topic not in IN_MEMORY}
            self._journal.commit(group.name, kept)
        for place in offsets:
            if place.topic in IN_MEMORY:
                self._log(place).forget_before(self._lowest_committed(place))

    def _lowest_committed(self, place: TopicPartition) -> int:
        readers = self._readers(place.topic)
        return min((self.committed(group.name, place) for group in readers), default=0)

    def _readers(self, topic: str) -> "list[_Group]":
        """Return the groups with a member that reads the topic."""
        readers = self._readers_of.get(topic)
        if readers is None:
            readers = [group for group in self._groups.values() if group.reads(topic)]
            self._readers_of[topic] = readers
        return readers

    def _announce(self, group: "_Group", place: TopicPartition, sequence: int, offset: int) -> None:
        if self._turns is None:
            owner = group.owner_of(place)
            if owner is not None:
                owner.wake()
        else:
            self._turns.add(Turn(sequence, group.index, group.name, place, offset))

    def _offer(self, turn: Turn) -> bool:
        owner = self._groups[turn.group].owner_of(turn.place)
        return owner is not None and owner.accept(self._log(turn.place).at(turn.offset))

    async def _rebalance(self, group: "_Group") -> None:
        async with group.changing:
            await self._deal_out(group)

    async def _deal_out(self, group: "_Group") -> None:
        self._readers_of.clear()
        shares = group.shares({p for topic in group.topics() for p in self._places(topic)})
        for member, share in shares.items():
            await member.revoke(member.assignment() - share)
        for member, share in shares.items():
            await member.assign(share - member.assignment())
        if self._turns is not None:
            self._turns.replace(group.name, list(self._due_turns(group)))

    def _due_turns(self, group: "_Group") -> Iterator[Turn]:
        for member in group.members:
            for place in member.assignment():
                for sequence, message in self._log(place).entries(member.position(place)):
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

    def _log(self, place: TopicPartition) -> PartitionLog:
        log = self._logs.get(place)
        if log is None:
            log = self._logs[place] = PartitionLog()
        return log

    def _next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence


class _Group:
    """The members of a group, in the order in which they joined."""

    def __init__(self, name: str, index: int) -> None:
        self.name = name
        self.index = index
        self.members: list[LocalConsumer] = []
        self.changing = asyncio.Lock()

    def topics(self) -> set[str]:
        return {topic for member in self.members for topic in member.topics}

    def reads(self, topic: str) -> bool:
        return any(topic in member.topics for member in self.members)

    def owner_of(self, place: TopicPartition) -> "LocalConsumer | None":
        return next((member for member in self.members if member.has(place)), None)

    def shares(
        self, places: set[TopicPartition]
    ) -> "dict[LocalConsumer, frozenset[TopicPartition]]":
        """Deal partitions out in turn, to members that asked for the topic."""
        dealt: dict[LocalConsumer, set[TopicPartition]] = {m: set() for m in self.members}
        for place in sorted(places):
            takers = [member for member in self.members if place.topic in member.topics]
            if takers:
                dealt[takers[place.partition % len(takers)]].add(place)
        return {member: frozenset(share) for member, share in dealt.items()}


class LocalConsumer:
    """A member of a group on the local bus."""

    def __init__(
        self,
        bus: LocalBus,
        group: _Group,
        topics: tuple[str, ...],
        listener: RebalanceListener | None,
    ) -> None:
        self.topics = topics
        self._bus = bus
        self._group = group
        self._listener = listener
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._revoking: frozenset[TopicPartition] = frozenset()
        self._waiting: asyncio.Future[None] | None = None
        self._accepted: Message | None = None
        self._rounds = 0
        self._is_closed = False

    async def fetch(self, max_records: int, timeout_seconds: float) -> list[Message]:
        """Return the next messages; in lockstep one at a time."""
        if self._is_closed:
            raise BusClosed(f"fetch on a closed consumer of group {self._group.name}")
        if self._bus._turns is not None:
            return await self._fetch_in_turn(self._bus._turns, timeout_seconds)
        await asyncio.sleep(0)  # a consumer with a backlog must let the others run
        if not (messages := self._take(max_records)):
            await self._wait(timeout_seconds)
            messages = self._take(max_records)
        return messages

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Record the next offsets; those of partitions that were taken away are left out."""
        mine = {place: at for place, at in offsets.items() if place in self._positions}
        self._bus._commit(self._group, mine)

    def assignment(self) -> frozenset[TopicPartition]:
        """Return the partitions of this member."""
        return frozenset(self._positions)

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Deliver nothing of these partitions until they are resumed."""
        self._paused |= set(partitions)

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Deliver these partitions again."""
        self._paused -= set(partitions)
        if self._bus._turns is not None:
            self._bus._turns.advance()
        self.wake()

    async def lag(self) -> dict[TopicPartition, int]:
        """Return the records of each partition that are not committed yet."""
        name = self._group.name
        return {
            place: self._bus._log(place).end - self._bus.committed(name, place)
            for place in self._positions
        }

    async def close(self) -> None:
        """Leave the group without committing."""
        if self._is_closed:
            return
        self._is_closed = True
        async with self._group.changing:
            await self.revoke(self.assignment())
            self._group.members.remove(self)
        self.wake()
        await self._bus._rebalance(self._group)

    def has(self, place: TopicPartition) -> bool:
        """Return whether this member may be given messages of the partition."""
        return place in self._positions and place not in self._revoking

    def position(self, place: TopicPartition) -> int:
        """Return the next offset to deliver."""
        return self._positions[place]

    def wake(self) -> None:
        """End a wait in `fetch`."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def accept(self, message: Message | None) -> bool:
        """Take a message whose turn it is, if this member waits for one and is not paused."""
        is_waiting = self._waiting is not None and not self._waiting.done()
        if message is None or not is_waiting or message.topic_partition in self._paused:
            return False
        self._accepted = message
        self._positions[message.topic_partition] = message.offset + 1
        self.wake()
        return True

    async def revoke(self, places: frozenset[TopicPartition]) -> None:
        """Give partitions up, once the listener has finished with them."""
        if not places:
            return
        self._revoking = places
        if self._listener is not None:
            await self._listener.on_revoked(places)
        for place in places:
            del self._positions[place]
        self._paused -= places
        self._revoking = frozenset()

    async def assign(self, places: frozenset[TopicPartition]) -> None:
        """Take partitions over, from their committed offsets, once the listener is ready."""
        if not places:
            return
        if self._listener is not None:
            await self._listener.on_assigned(places)
        self._positions |= {p: self._bus.committed(self._group.name, p) for p in places}
        self.wake()

    async def _fetch_in_turn(self, turns: Turns, timeout_seconds: float) -> list[Message]:
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        timer = loop.call_later(timeout_seconds, self.wake)
        turns.finish(self._group.name, self.assignment())
        turns.advance()
        try:
            await self._waiting
        finally:
            timer.cancel()
            message, self._accepted, self._waiting = self._accepted, None, None
        return [] if message is None else [message]

    def _take(self, max_records: int) -> list[Message]:
        taken: list[Message] = []
        for place in self._places_in_rotation():
            log = self._bus._log(place)
            messages = log.slice(self._positions[place], max_records - len(taken))
            if messages:
                self._positions[place] = messages[-1].offset + 1
                taken += messages
        return taken

    def _places_in_rotation(self) -> list[TopicPartition]:
        places = sorted(set(self._positions) - self._paused - self._revoking)
        self._rounds += 1
        start = self._rounds % len(places) if places else 0
        return places[start:] + places[:start]

    async def _wait(self, timeout_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        timer = loop.call_later(timeout_seconds, self.wake)
        try:
            await self._waiting
        finally:
            timer.cancel()
            self._waiting = None


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
