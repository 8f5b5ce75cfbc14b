"""Dead letters: messages that cannot be handled, and the limit that stops a service.

The `verdict` of a dead letter says what happens to its message:

poison      it cannot be read, or its handler refused it; it is skipped
failed      a defect ended the service; after the restart the message is tried once more
set aside   it failed again; it is skipped from now on
"""

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Literal

from libs.events.bus import Bus, Headers, Message, Record
from libs.events.errors import EventError, RecordTooLarge
from libs.events.topics import dead_letter_topic

Verdict = Literal["poison", "failed", "set aside"]
LONGEST_REASON = 400
ORIGIN = "origin"
"""The first header that a dead letter adds to those of its message: topic/partition/offset."""


class TooManyDeadLetters(EventError):
    """A group wrote more dead letters than its limit."""

    exit_status = 1


@dataclass(slots=True)
class DeadLetters:
    """Writes dead letters, with the origin, the reason and the verdict in headers."""

    bus: Bus
    service: str
    limit: int
    count: int = field(default=0)

    async def write(self, message: Message, reason: str, verdict: Verdict = "poison") -> None:
        """Publish a message to its dead-letter topic; raise TooManyDeadLetters past the limit.

        A message that leaves no room for the headers goes without its bytes: the origin has them.
        """
        record = _dead_letter(message, self.service, shortened(reason), verdict)
        try:
            await self.bus.publish(record)
        except RecordTooLarge:
            await self.bus.publish(replace(record, value=b""))
        await self.bus.flush()
        self.count += 1
        if self.count > self.limit:
            raise TooManyDeadLetters(
                f"{self.service}: {self.count} dead letters, the limit is {self.limit}; "
                f"the last one from {message.topic}: {reason}"
            )


@dataclass(slots=True)
class FailedBefore:
    """The messages that a group failed on before a restart, by origin and digest.

    The digest is compared too: a topic that is kept in memory starts again at offset 0.
    """

    service: str
    _verdicts: dict[tuple[bytes, bytes], set[str]] = field(default_factory=dict)

    async def load(self, bus: Bus, topics: tuple[str, ...]) -> None:
        """Read the dead letters that this group wrote about these topics."""
        kept = [dead_letter_topic(topic) for topic in topics if bus.keeps(topic)]
        if not kept:
            return
        async for dead_letter in bus.read(kept):
            headers = dict(dead_letter.headers)
            if headers.get("service") == self.service.encode():
                key = headers.get(ORIGIN, b""), headers.get("digest", b"")
                verdict = headers.get("verdict", b"").decode(errors="replace")
                self._verdicts.setdefault(key, set()).add(verdict)

    def has_failed(self, message: Message) -> bool:
        """Return whether a defect ended the service on this message."""
        return "failed" in self._of(message)

    def is_set_aside(self, message: Message) -> bool:
        """Return whether the message is to be skipped."""
        return "set aside" in self._of(message)

    def _of(self, message: Message) -> set[str]:
        if not self._verdicts:
            return set()
        return self._verdicts.get((origin_of(message).encode(), _digest(message)), set())


def origin_of(message: Message) -> str:
    """Return the origin of a message as topic/partition/offset."""
    return f"{message.topic}/{message.partition}/{message.offset}"


def headers_before(headers: Headers) -> Headers:
    """Return the headers that a message had before it became a dead letter."""
    names = [name for name, _ in headers]
    if ORIGIN not in names:
        return headers
    return headers[: len(names) - 1 - names[::-1].index(ORIGIN)]


def _dead_letter(message: Message, service: str, reason: str, verdict: Verdict) -> Record:
    return Record(
        topic=dead_letter_topic(message.topic),
        key=message.key,
        value=message.value,
        timestamp_ms=message.timestamp_ms,
        partition=message.partition,
        headers=(
            *message.headers,
            (ORIGIN, origin_of(message).encode()),
            ("service", service.encode()),
            ("reason", reason.encode(errors="replace")),
            ("verdict", verdict.encode()),
            ("digest", _digest(message)),
        ),
    )


def shortened(reason: str) -> str:
    """Return a reason that fits into a header, an event and a line."""
    text = reason.encode(errors="replace").decode()
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]} …"


def _digest(message: Message) -> bytes:
    return sha256(message.value).hexdigest().encode()
