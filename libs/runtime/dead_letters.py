"""Where messages go that can never be handled, and the limit that stops a service.

A letter's `verdict` says what is to become of its message:

poison      it cannot be read, or was refused by name; it is passed over
failed      a defect ended the service; after the restart the message is tried once more
set aside   it failed again; it is passed over from now on
"""

from dataclasses import dataclass, field
from typing import Literal

from libs.events.bus import Bus, Headers, Message, Record
from libs.events.errors import EventError
from libs.events.topics import dead_letter_topic

Verdict = Literal["poison", "failed", "set aside"]
ORIGIN = "origin"
"""The first header that a letter adds to those of its message: topic/partition/offset."""


class TooManyDeadLetters(EventError):
    """So many messages could not be handled that something else must be wrong."""

    exit_status = 1


@dataclass(slots=True)
class DeadLetters:
    """Publishes what could not be handled, with where it came from, why, and the verdict."""

    bus: Bus
    service: str
    limit: int
    count: int = field(default=0)

    async def bury(self, message: Message, reason: str, verdict: Verdict = "poison") -> None:
        """Publish a message to its dead-letter topic; raise TooManyDeadLetters past the limit."""
        await self.bus.publish(_letter(message, self.service, reason, verdict))
        await self.bus.flush()
        self.count += 1
        if self.count > self.limit:
            raise TooManyDeadLetters(
                f"{self.service}: {self.count} dead letters, more than {self.limit}; "
                f"the last one from {message.topic}: {reason}"
            )


@dataclass(slots=True)
class FailedBefore:
    """Which messages a group has failed on before a restart, by origin and bytes.

    Bytes are compared too: a bus that forgets a topic at a restart numbers it anew.
    """

    service: str
    _verdicts: dict[tuple[bytes, bytes], set[str]] = field(default_factory=dict)

    async def load(self, bus: Bus, topics: tuple[str, ...]) -> None:
        """Read the letters that this group wrote about these topics."""
        kept = [dead_letter_topic(topic) for topic in topics if bus.keeps(topic)]
        if not kept:
            return
        async for letter in bus.read(kept):
            headers = dict(letter.headers)
            if headers.get("service") == self.service.encode():
                key = headers.get(ORIGIN, b""), letter.value
                verdict = headers.get("verdict", b"").decode(errors="replace")
                self._verdicts.setdefault(key, set()).add(verdict)

    def has_failed(self, message: Message) -> bool:
        """Return whether a defect ended the service on this message."""
        return "failed" in self._of(message)

    def is_set_aside(self, message: Message) -> bool:
        """Return whether the message is to be passed over."""
        return "set aside" in self._of(message)

    def _of(self, message: Message) -> set[str]:
        return self._verdicts.get((origin_of(message).encode(), message.value), set())


def origin_of(message: Message) -> str:
    """Return where a message stands: topic/partition/offset."""
    return f"{message.topic}/{message.partition}/{message.offset}"


def headers_before(headers: Headers) -> Headers:
    """Return the headers that a message had before it became a letter."""
    names = [name for name, _ in headers]
    if ORIGIN not in names:
        return headers
    return headers[: len(names) - 1 - names[::-1].index(ORIGIN)]


def _letter(message: Message, service: str, reason: str, verdict: Verdict) -> Record:
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
            ("reason", reason.encode()),
            ("verdict", verdict.encode()),
        ),
    )
