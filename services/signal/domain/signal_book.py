"""SignalManager: validates signals, refuses duplicates, tracks the state of each signal."""

from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

from libs.events.event import Event
from libs.events.orders import OrderEvent
from libs.events.signals import (
    SignalExpired,
    SignalGenerated,
    SignalRejected,
    SignalUpdate,
    SignalValidated,
    StrategySignal,
)
from services.signal.domain.life import State
from services.signal.domain.lives import Lives, Taken
from services.signal.domain.rules.rule import Refusal, Rule
from services.signal.domain.rules.settings import SignalFilters, SignalRules, signal_rules
from services.signal.domain.sessions import Session, Sessions


@dataclass(slots=True)
class SignalBook:
    """The signals of the latest two trading days, and those that live on from before."""

    rules: tuple[Rule, ...]
    lives: Lives = field(default_factory=Lives)
    sessions: Sessions = field(default_factory=Sessions)
    refused_transitions: int = 0

    @classmethod
    def of(cls, rules: SignalRules, filters: SignalFilters | None = None) -> Self:
        """Return an empty book with the rules of the settings."""
        return cls(signal_rules(rules, filters or SignalFilters()), Lives(rules.max_age_ms))

    def on_event(self, event: Event, now_ms: int) -> tuple[Event, ...]:
        """Return the events that a strategy signal causes; note updates and orders."""
        if isinstance(event, StrategySignal):
            return self._on_signal(event, now_ms)
        if isinstance(event, SignalUpdate):
            self.take(event)
        elif isinstance(event, OrderEvent):
            self.lives.act_on(event.signal_id)
        return ()

    def take(self, update: SignalUpdate) -> Taken:
        """Note the state after an update, and return whether the signal has reached it now."""
        self._start(update)
        taken = self.lives.take(update, self.sessions.first_day)
        self.refused_transitions += taken == "refused"
        return taken

    def expire(self, now_ms: int) -> tuple[SignalExpired, ...]:
        """End the signals that nobody acted on in time."""
        return self.lives.expire(now_ms)

    def restore(self, event: Event) -> None:
        """Restore from an event published before a restart; `restored` comes after the last."""
        if isinstance(event, SignalGenerated):
            self.sessions.of(event.trading_day).note(event)
            self.lives.begin(event)
        elif isinstance(event, SignalUpdate):
            self._see_again(event)
            self.lives.take(event)
        elif isinstance(event, OrderEvent):
            self.lives.act_on(event.signal_id)

    def restored(self) -> tuple[Event, ...]:
        """Forget what is over, once everything is restored."""
        self.lives.forget_before(self.sessions.first_day)
        return ()

    def state_of(self, signal_id: UUID) -> State | None:
        """Return the state of a signal that is known here."""
        life = self.lives.of(signal_id)
        return life.state if life else None

    def _on_signal(self, signal: StrategySignal, now_ms: int) -> tuple[Event, ...]:
        """Validate a signal once; SignalValidated comes last, since it marks the signal as seen.

        One that was published, but not marked before a crash, is published again.
        """
        session = self._start(signal)
        if session.has_seen(signal):
            return ()
        generated = SignalGenerated.of(signal)
        refusal = None if session.passed(signal) else self._refusal(signal, session, now_ms)
        if refusal is not None:
            made = _update(SignalRejected, generated, signal, refusal)
            session.see(signal.event_id)
            return (made,)
        validated = _update(SignalValidated, generated, signal)
        session.note(generated)
        self.lives.begin(generated)
        session.see(signal.event_id)
        return generated, validated

    def _refusal(self, signal: StrategySignal, session: Session, now_ms: int) -> Refusal | None:
        standing = session.standing(signal, now_ms)
        checked = (rule.check(signal, standing) for rule in self.rules)
        return next((refusal for refusal in checked if refusal is not None), None)

    def _start(self, event: Event) -> Session:
        """Return the session of an event; with a new trading day forget what is over."""
        before = self.sessions.first_day
        session = self.sessions.of(event.trading_day)
        if self.sessions.first_day != before:
            self.lives.forget_before(self.sessions.first_day)
        return session

    def _see_again(self, update: SignalUpdate) -> None:
        """Mark the strategy's signal behind our own update, which comes first of a signal."""
        session = self.sessions.of(update.trading_day)
        is_refusal = isinstance(update, SignalRejected) and not self.lives.of(update.signal_id)
        if update.causation_id and (is_refusal or isinstance(update, SignalValidated)):
            session.see(update.causation_id)


def _update(
    kind: type[SignalUpdate],
    generated: SignalGenerated,
    cause: StrategySignal,
    refusal: Refusal | None = None,
) -> SignalUpdate:
    reason, numbers = (refusal.reason, refusal.numbers) if refusal else ("", {})
    return kind.of(generated, cause.occurred_at, cause.trading_day, reason, numbers, cause)
