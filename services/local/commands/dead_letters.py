"""Dead letters: listed, shown, and published again.

A retry publishes the message again, then a marker to the dead-letter topic itself, so that topic
alone says which letters were retried. After a crash between the two, the next retry publishes the
message twice, which its readers recognise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from libs.events.bus import Headers, Message, Record
from libs.events.codec import decode
from libs.events.errors import PoisonMessage
from libs.events.topics import dead_letter_topic
from libs.runtime.dead_letters import headers_before
from libs.runtime.shown import on_one_line

RETRIED = "retried"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that a service could not handle."""

    topic: str
    message: Message
    is_retried: bool = False

    @property
    def place(self) -> str:
        """Its partition/offset in the dead-letter topic."""
        return f"{self.message.partition}/{self.message.offset}"

    @property
    def origin(self) -> str:
        """topic/partition/offset of the original message."""
        return self._header("origin")

    @property
    def service(self) -> str:
        """The group that could not handle it."""
        return self._header("service")

    @property
    def reason(self) -> str:
        """The error."""
        return self._header("reason")

    @property
    def verdict(self) -> str:
        """What became of it: poison, failed (tried once more after a restart), or set aside."""
        return self._header("verdict") or "poison"

    @property
    def headers(self) -> Headers:
        """The headers of the original message."""
        return headers_before(self.message.headers)

    def _header(self, name: str) -> str:
        return dict(self.message.headers).get(name, b"").decode(errors="replace")


def letters_of(topic: str, messages: Iterable[Message]) -> list[Letter]:
    """Return the dead letters of a topic by partition and offset; markers show the retried ones."""
    every = sorted(messages, key=lambda message: (message.partition, message.offset))
    done = {place for message in every if (place := _marked(message))}
    return [
        Letter(topic, message, f"{message.partition}/{message.offset}" in done)
        for message in every
        if not _marked(message)
    ]


def retry_records(letter: Letter) -> tuple[Record, Record]:
    """Return the original message for its own topic, and the marker for the dead-letter topic."""
    message = letter.message
    again = Record(
        topic=letter.topic,
        key=message.key,
        value=message.value,
        timestamp_ms=message.timestamp_ms,
        partition=message.partition,
        headers=letter.headers,
    )
    marker = Record(
        topic=dead_letter_topic(letter.topic),
        key=message.key,
        value=b"",
        timestamp_ms=message.timestamp_ms,
        partition=message.partition,
        headers=((RETRIED, letter.place.encode()),),
    )
    return again, marker


def lines_of(letter: Letter) -> Sequence[str]:
    """Return everything about a letter, line by line."""
    value = letter.message.value
    try:
        reads = f"{decode(letter.topic, value).type}: it can be read now"
    except PoisonMessage as poison:
        reads = f"it still cannot be read: {poison}"
    headers = [
        on_one_line(f"  {name}: {text.decode(errors='replace')}") for name, text in letter.headers
    ]
    return (
        f"letter    {dead_letter_topic(letter.topic)} {letter.place}",
        f"origin    {letter.origin}",
        f"service   {letter.service}",
        f"reason    {on_one_line(letter.reason)}",
        f"verdict   {letter.verdict}",
        f"retried   {'yes' if letter.is_retried else 'no'}",
        f"key       {letter.message.key}",
        *(["headers", *headers] if headers else []),
        f"event     {reads}",
        f"bytes     {len(value)}",
        _shown(value),
    )


def _marked(message: Message) -> str:
    return dict(message.headers).get(RETRIED, b"").decode(errors="replace")


def _shown(value: bytes) -> str:
    """Return text as it is, other bytes as hex, 32 a line."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = ""
    if text.isprintable() and text:
        return text
    return "\n".join(value[at : at + 32].hex(" ") for at in range(0, len(value), 32))
