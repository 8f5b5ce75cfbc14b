"""The log of one partition of the embedded bus."""

from collections.abc import Sequence

from libs.events.bus import Message

_COMPACT_AFTER = 1024


class PartitionLog:
    """An append-only log whose oldest messages can be dropped."""

    def __init__(self) -> None:
        self._entries: list[tuple[int, Message] | None] = []
        self._start = 0
        self._first = 0
        self._bytes = 0
        self.dropped = 0

    @property
    def base(self) -> int:
        """The lowest offset that is still held."""
        return self._first + self._start

    @property
    def end(self) -> int:
        """The offset of the next message."""
        return self._first + len(self._entries)

    def append(self, message: Message, sequence: int) -> None:
        """Add a message; `sequence` is its number in the publish order of the whole bus."""
        self._entries.append((sequence, message))
        self._bytes += len(message.value)

    def at(self, offset: int) -> Message | None:
        """Return the message at an offset, None if it was dropped."""
        entry = self._entries[offset - self._first] if offset >= self.base else None
        return entry[1] if entry else None

    def slice(self, offset: int, count: int) -> list[Message]:
        """Return up to `count` messages from an offset on; dropped ones are skipped."""
        return [message for _, message in self.entries(offset, count)]

    def entries(self, offset: int = 0, count: int | None = None) -> Sequence[tuple[int, Message]]:
        """Return (sequence, message) from an offset on."""
        start = max(self.base, offset) - self._first
        stop = None if count is None else start + max(0, count)
        return [entry for entry in self._entries[start:stop] if entry is not None]

    def forget_before(self, offset: int) -> None:
        """Drop messages before an offset, which every group has committed."""
        while self.base < min(offset, self.end):
            self._drop_oldest()

    def retain(self, limit_bytes: int) -> None:
        """Drop and count the oldest messages beyond `limit_bytes`, read or not."""
        while self._bytes > limit_bytes and self.end - self.base > 1:
            self._drop_oldest()
            self.dropped += 1

    def _drop_oldest(self) -> None:
        entry = self._entries[self._start]
        self._bytes -= len(entry[1].value) if entry else 0
        self._entries[self._start] = None
        self._start += 1
        if self._start >= _COMPACT_AFTER and 2 * self._start >= len(self._entries):
            del self._entries[: self._start]
            self._first += self._start
            self._start = 0
