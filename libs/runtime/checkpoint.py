"""Which offsets to commit, and when.

`consumer.py` does the committing: flush sinks, flush the producer, commit offsets.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from libs.events.bus import Message, TopicPartition


@dataclass(slots=True)
class Checkpoint:
    """Messages handled since the last commit; due after `every_records` or `every_ms`."""

    every_records: int
    every_ms: int
    _next_offsets: dict[TopicPartition, int] = field(default_factory=dict)
    _records: int = 0
    _since_ms: int | None = None

    def note(self, message: Message, now_ms: int) -> None:
        """Count a message that was handled."""
        self._next_offsets[message.topic_partition] = message.offset + 1
        self._records += 1
        if self._since_ms is None:
            self._since_ms = now_ms

    def is_due(self, now_ms: int) -> bool:
        """Return whether it is time to commit."""
        if self._since_ms is None:
            return False
        return self._records >= self.every_records or now_ms - self._since_ms >= self.every_ms

    def take(self) -> dict[TopicPartition, int]:
        """Return partition → next offset of all messages noted, and reset."""
        offsets, self._next_offsets = self._next_offsets, {}
        self._records, self._since_ms = 0, None
        return offsets

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """Drop revoked partitions, which must not be committed any more."""
        for topic_partition in partitions:
            self._next_offsets.pop(topic_partition, None)
