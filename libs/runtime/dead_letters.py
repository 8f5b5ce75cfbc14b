"""Where messages go that can never be handled, and the limit that stops a service."""

from dataclasses import dataclass, field

from libs.events.bus import Bus, Message, Record
from libs.events.errors import EventError
from libs.events.topics import dead_letter_topic


class TooManyDeadLetters(EventError):
    """So many messages could not be handled that something else must be wrong."""

    exit_status = 1


@dataclass(slots=True)
class DeadLetters:
    """Publishes what could not be handled, with where it came from and why."""

    bus: Bus
    service: str
    limit: int
    count: int = field(default=0)

    async def bury(self, message: Message, reason: str) -> None:
        """Publish a message to its dead-letter topic; raise TooManyDeadLetters past the limit."""
        await self.bus.publish(_letter(message, self.service, reason))
        await self.bus.flush()
        self.count += 1
        if self.count > self.limit:
            raise TooManyDeadLetters(
                f"{self.service}: {self.count} dead letters, more than {self.limit}; "
                f"the last one from {message.topic}: {reason}"
            )


def _letter(message: Message, service: str, reason: str) -> Record:
    origin = f"{message.topic}/{message.partition}/{message.offset}"
    return Record(
        topic=dead_letter_topic(message.topic),
        key=message.key,
        value=message.value,
        timestamp_ms=message.timestamp_ms,
        partition=message.partition,
        headers=(
            *message.headers,
            ("origin", origin.encode()),
            ("service", service.encode()),
            ("reason", reason.encode()),
        ),
    )
