"""Messages whose handling may wait for the next ones, so that many are handled at once."""

from collections.abc import Collection

from libs.events.bus import Message, TopicPartition
from libs.events.errors import PoisonMessage
from libs.events.event import Event
from libs.runtime.subscription import Runs

Read = Event | PoisonMessage
"""A decoded message: its event, or why it cannot be read."""
Pair = tuple[Message, Read]
MOST = 64
"""So many messages of a partition wait at most."""


class PutOff:
    """The messages of a group that wait, by partition; `runs` says which of them may.

    It is for runs in which the stamps alone are the time: there nothing is late by waiting. What
    waits is not committed, so a crash loses none of it.
    """

    def __init__(self, runs: Runs | None) -> None:
        self._runs = runs
        self._waiting: dict[TopicPartition, list[Pair]] = {}

    def due(self, batch: list[Pair]) -> list[Pair]:
        """Return what is to be handled now that a partition's batch has come; it may all wait."""
        partition = batch[0][0].topic_partition
        waiting = [*self._waiting.pop(partition, ()), *batch]
        if len(waiting) < MOST and all(self._may_wait(read) for _, read in batch):
            self._waiting[partition] = waiting
            return []
        return waiting

    def take_all(self) -> list[list[Pair]]:
        """Return all that waits, by partition; nothing waits then."""
        waiting, self._waiting = self._waiting, {}
        return list(waiting.values())

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """Drop what waits of partitions that another member has now."""
        for partition in partitions:
            self._waiting.pop(partition, None)

    def _may_wait(self, read: Read) -> bool:
        if self._runs is None or isinstance(read, PoisonMessage):
            return False
        return self._runs.may_wait(read)
