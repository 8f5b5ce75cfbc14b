"""The stamps of the message that is handled, and of what is published because of it."""

from dataclasses import dataclass, field

from libs.events.bus import Message
from libs.events.event import Event
from libs.events.stamps import Stamps, first_stamps
from libs.events.ticks import TickBatch
from libs.runtime.clock import Clock


@dataclass(slots=True)
class CurrentStamps:
    """Says when each hop had the message that a service's group handles at this moment.

    It is to be asked while the message is handled, before the handler waits for anything that
    another task may do meanwhile. Between two messages, and in what time alone asks for, there
    are no stamps.
    """

    _handled: tuple[Message, Event] | None = None

    def of_current(self) -> Stamps:
        """Return the stamps of the message that is being handled."""
        return stamps_of(*self._handled) if self._handled else Stamps()

    def begin(self, message: Message, event: Event) -> None:
        """Note that a message is being handled."""
        self._handled = message, event

    def end(self) -> None:
        """Note that it has been handled."""
        self._handled = None


@dataclass(frozen=True, slots=True)
class Stamping:
    """Stamps what a service (`hop`) publishes: with what it stands on, and when it had that."""

    hop: str
    clock: Clock
    current: CurrentStamps = field(default_factory=CurrentStamps)

    def of(self, event: Event) -> Stamps:
        """Return the stamps of an event that is published now; no time is no stamp."""
        if isinstance(event, TickBatch):
            return first_stamps(event)
        before, now_ms = self.current.of_current(), self.clock.now_ms()
        return before.passed(self.hop, now_ms) if now_ms > 0 else before


def stamps_of(message: Message, event: Event) -> Stamps:
    """Return the stamps of a message; ticks bear theirs themselves where the record has none."""
    stamps = Stamps.of(message.headers)
    if not stamps.hops and isinstance(event, TickBatch):
        return first_stamps(event)
    return stamps


def hop_of(group: str) -> str:
    """Return the service of a group: executor of executor.writer.orders."""
    return group.partition(".")[0]
