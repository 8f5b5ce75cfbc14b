"""The lives of signals: all that are open, and the latest that have ended."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Literal
from uuid import UUID

from libs.events.event import utc_from_ms
from libs.events.signals import (
    SignalExpired,
    SignalGenerated,
    SignalRejected,
    SignalUpdate,
    allowed_age_ms,
)
from services.signal.domain.life import Life, Step

GRACE_MS = 60_000
"""How long after its allowed age a signal still waits for news of what was done with it."""
KEPT = 10_000
NOT_ACTED_ON = "not_acted_on"
Taken = Literal["reached", "repeated", "refused"]


@dataclass(slots=True)
class Lives:
    """Each signal's states. Of ended signals the `kept` latest stay.

    `_waiting` are signals that were passed on, and of which nobody has said what became of them,
    each with the time (epoch ms) at which it expires.
    """

    max_age_ms: int | None = None
    kept: int = KEPT
    _lives: dict[UUID, Life] = field(default_factory=dict)
    _ended: dict[UUID, None] = field(default_factory=dict)
    _waiting: dict[UUID, tuple[int, SignalGenerated]] = field(default_factory=dict)

    def begin(self, signal: SignalGenerated) -> None:
        """Note a signal that was passed on; a repeat changes nothing."""
        if signal.signal_id not in self._lives:
            self._lives[signal.signal_id] = Life.of_passed(signal)
            self._waiting[signal.signal_id] = self._ends_ms(signal), signal

    def take(self, update: SignalUpdate, since: date = date.min) -> Taken:
        """Note an update; of an unknown signal only a refusal, which is its first event.

        A refusal of a day before `since` is of a signal that was forgotten.
        """
        life = self._lives.get(update.signal_id)
        if life is None and isinstance(update, SignalRejected) and update.trading_day >= since:
            life = self._lives[update.signal_id] = Life.of(update)
        if life is None:
            return "refused"
        if any(step.event_id == update.event_id for step in life.steps):
            return "repeated"
        step = Step.of(update)
        life.steps.append(step)
        self._settle(life)
        return "reached" if step in life.reached else "refused"

    def act_on(self, signal_id: UUID) -> None:
        """Note that a signal was acted on, for example that an order was planned for it."""
        self._waiting.pop(signal_id, None)

    def overdue(self, now_ms: int) -> bool:
        """Return whether a signal waits for longer than it may be acted on."""
        return next(self._overdue(now_ms), None) is not None

    def expire(self, now_ms: int) -> tuple[SignalExpired, ...]:
        """End the signals that nobody acted on in time."""
        expired = tuple(self._expired(signal) for signal in list(self._overdue(now_ms)))
        for update in expired:
            self.take(update)
        return expired

    def forget_before(self, day: date) -> None:
        """Forget what ended before a day, and signals of before it that were never validated."""
        for life in list(self._lives.values()):
            is_of_before = life.trading_day < day
            if not life.was_on(day) or (is_of_before and life.state == "NEW"):
                self._forget(life.signal_id)

    def of(self, signal_id: UUID) -> Life | None:
        """Return a signal's life, None if it is not known here."""
        return self._lives.get(signal_id)

    def all(self) -> tuple[Life, ...]:
        """Return all lives that are known here."""
        return tuple(self._lives.values())

    def open(self) -> Iterator[Life]:
        """Yield the lives that may go on."""
        return (life for key, life in self._lives.items() if key not in self._ended)

    @property
    def is_whole(self) -> bool:
        """Whether none of the ended signals had to make room for later ones."""
        return len(self._ended) < self.kept

    def _settle(self, life: Life) -> None:
        """Note what the furthest state means: nothing more to wait for, or the end."""
        if life.state not in ("NEW", "VALIDATED"):
            self.act_on(life.signal_id)
        if not life.is_open:
            self._ended[life.signal_id] = None
            if len(self._ended) > self.kept:
                self._forget(next(iter(self._ended)))

    def _forget(self, signal_id: UUID) -> None:
        del self._lives[signal_id]
        self._ended.pop(signal_id, None)
        self._waiting.pop(signal_id, None)

    def _overdue(self, now_ms: int) -> Iterator[SignalGenerated]:
        for signal_id, (ends_ms, signal) in self._waiting.items():
            if now_ms > ends_ms and self._lives[signal_id].state == "VALIDATED":
                yield signal

    def _ends_ms(self, signal: SignalGenerated) -> int:
        return signal.occurred_ms + allowed_age_ms(signal, self.max_age_ms) + GRACE_MS

    def _expired(self, signal: SignalGenerated) -> SignalExpired:
        allowed_ms, at = allowed_age_ms(signal, self.max_age_ms), utc_from_ms(self._ends_ms(signal))
        numbers: dict[str, float | str] = {"allowed_seconds": allowed_ms / 1000}
        return SignalExpired.of(signal, at, signal.trading_day, NOT_ACTED_ON, numbers)
