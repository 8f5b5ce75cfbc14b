"""The members of a group on the embedded bus: their partitions and positions."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Protocol

from libs.events.bus import Message, RebalanceListener, TopicPartition
from libs.events.embedded.partition_log import PartitionLog
from libs.events.embedded.turns import Turns
from libs.events.errors import BusClosed


class Host(Protocol):
    """What a member needs of its bus."""

    turns: Turns | None

    def log(self, partition: TopicPartition) -> PartitionLog:
        """Return the log of a partition."""

    def committed(self, group: str, partition: TopicPartition) -> int:
        """Return the group's next offset, as a restart would read it."""

    def commit_offsets(self, group: "Group", offsets: Mapping[TopicPartition, int]) -> None:
        """Record the offsets of a group."""

    async def rebalance(self, group: "Group") -> None:
        """Reassign the partitions."""


class Group:
    """The members of a group, in the order of joining; in lockstep it reads `in_turn` or aside."""

    def __init__(self, name: str, index: int, *, in_turn: bool) -> None:
        self.name = name
        self.index = index
        self.in_turn = in_turn
        self.members: list[LocalConsumer] = []
        self.changing = asyncio.Lock()

    def topics(self) -> set[str]:
        """Return the topics that any member subscribed to."""
        return {topic for member in self.members for topic in member.topics}

    def reads(self, topic: str) -> bool:
        """Return whether any member subscribed to the topic."""
        return any(topic in member.topics for member in self.members)

    def owner_of(self, partition: TopicPartition) -> "LocalConsumer | None":
        """Return the member that the partition is assigned to."""
        return next((member for member in self.members if member.has(partition)), None)

    def shares(
        self, partitions: set[TopicPartition]
    ) -> "dict[LocalConsumer, frozenset[TopicPartition]]":
        """Assign partitions round robin to members that subscribed to the topic."""
        dealt: dict[LocalConsumer, set[TopicPartition]] = {m: set() for m in self.members}
        for p in sorted(partitions):
            takers = [member for member in self.members if p.topic in member.topics]
            if takers:
                dealt[takers[p.partition % len(takers)]].add(p)
        return {member: frozenset(share) for member, share in dealt.items()}


class LocalConsumer:
    """A member of a group on the local bus."""

    def __init__(
        self,
        bus: Host,
        group: Group,
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
        self._waits_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._accepted: Message | None = None
        self._rounds = 0
        self._is_closed = False

    async def fetch(self, max_records: int, timeout_seconds: float) -> list[Message]:
        """Return the next messages; in turn one at a time."""
        if self._is_closed:
            raise BusClosed(f"fetch on a closed consumer of group {self._group.name}")
        if self._bus.turns is not None and self._group.in_turn:
            return await self._fetch_in_turn(self._bus.turns, timeout_seconds)
        await asyncio.sleep(0)  # a consumer with a backlog must let others run
        if not (messages := self._take(max_records)):
            await self._wait(timeout_seconds)
            messages = self._take(max_records)
        return messages

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Record the next offsets; revoked partitions are left out."""
        mine = {p: at for p, at in offsets.items() if p in self._positions}
        self._bus.commit_offsets(self._group, mine)

    def assignment(self) -> frozenset[TopicPartition]:
        """Return the partitions of this member."""
        return frozenset(self._positions)

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Stop delivery from these partitions until `resume`."""
        self._paused |= set(partitions)

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Continue delivery from these partitions."""
        self._paused -= set(partitions)
        if self._bus.turns is not None and self._group.in_turn:
            self._bus.turns.advance()
        self.wake()

    async def lag(self) -> dict[TopicPartition, int]:
        """Return the records of each partition that are not committed yet."""
        name = self._group.name
        return {p: self._bus.log(p).end - self._bus.committed(name, p) for p in self._positions}

    async def committed(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the next offset of the group in each partition."""
        return {p: self._bus.committed(self._group.name, p) for p in partitions}

    async def close(self) -> None:
        """Leave the group without committing."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        async with self._group.changing:
            await self.revoke(self.assignment())
            self._group.members.remove(self)
        self.wake()
        await self._bus.rebalance(self._group)

    def has(self, partition: TopicPartition) -> bool:
        """Return whether messages of the partition may be delivered to this member."""
        return partition in self._positions and partition not in self._revoking

    def position(self, partition: TopicPartition) -> int:
        """Return the next offset to deliver."""
        return self._positions[partition]

    def wake(self) -> None:
        """End a wait in `fetch`."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def accept(self, message: Message | None) -> bool:
        """Take the message that is due, if this member waits for one and is not paused."""
        is_waiting = self._waiting is not None and not self._waiting.done()
        if message is None or not is_waiting or message.topic_partition in self._paused:
            return False
        self._accepted = message
        self._positions[message.topic_partition] = message.offset + 1
        self.wake()
        return True

    async def revoke(self, partitions: frozenset[TopicPartition]) -> None:
        """Give up partitions after the listener has finished with them."""
        if not partitions:
            return
        self._revoking = partitions
        if self._listener is not None:
            await self._listener.on_revoked(partitions)
        for partition in partitions:
            del self._positions[partition]
        self._paused -= partitions
        self._revoking = frozenset()

    async def assign(self, partitions: frozenset[TopicPartition]) -> None:
        """Start reading partitions at their committed offsets when the listener is ready."""
        if not partitions:
            return
        if self._listener is not None:
            await self._listener.on_assigned(partitions)
        self._positions |= {p: self._bus.committed(self._group.name, p) for p in partitions}
        self.wake()

    async def _fetch_in_turn(self, turns: Turns, timeout_seconds: float) -> list[Message]:
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        self._wait_until(loop, loop.time() + timeout_seconds)
        turns.finish(self._group.name, self._positions)
        turns.advance()
        try:
            await self._waiting
        finally:
            message, self._accepted, self._waiting = self._accepted, None, None
        return [] if message is None else [message]

    def _wait_until(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        """Wake a wait at a time of the loop; one timer serves the many waits that end before it."""
        self._waits_until = at
        if self._timer is None:
            self._timer = loop.call_at(at, self._on_timer, loop)

    def _on_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._waiting is None:
            return
        if loop.time() >= self._waits_until:
            self.wake()
        else:
            self._wait_until(loop, self._waits_until)

    def _take(self, max_records: int) -> list[Message]:
        taken: list[Message] = []
        for partition in self._partitions_in_rotation():
            log = self._bus.log(partition)
            messages = log.slice(self._positions[partition], max_records - len(taken))
            if messages:
                self._positions[partition] = messages[-1].offset + 1
                taken += messages
        return taken

    def _partitions_in_rotation(self) -> list[TopicPartition]:
        partitions = sorted(set(self._positions) - self._paused - self._revoking)
        self._rounds += 1
        start = self._rounds % len(partitions) if partitions else 0
        return partitions[start:] + partitions[:start]

    async def _wait(self, timeout_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        timer = loop.call_later(timeout_seconds, self.wake)
        try:
            await self._waiting
        finally:
            timer.cancel()
            self._waiting = None
