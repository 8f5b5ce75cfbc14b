"""SignalManager: validates signals, refuses duplicates, tracks the state of each signal."""

from dataclasses import dataclass, field
from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic.dataclasses import dataclass as pydantic_dataclass

from libs.events.event import Event
from libs.events.signals import (
    SignalFields,
    SignalGenerated,
    SignalRejected,
    SignalUpdate,
    SignalValidated,
    StrategySignal,
    staleness,
)
from libs.market.bounds import STRICT
from libs.market.units import Milliseconds
from services.signal.domain.life import STATE_AFTER, State, may_follow

TEST_PREFIX = "TEST_"
Numbers = dict[str, float | str]


@pydantic_dataclass(frozen=True, slots=True, config=STRICT)
class SignalRules:
    """`max_age_ms` None: two intervals of the signal's candle. 24 h at most in any case."""

    max_age_ms: Annotated[int, Milliseconds(1000, 86_400_000)] | None = None


@dataclass(slots=True)
class SignalBook:
    """The signals of a trading day: the last one per symbol and strategy, and each one's state."""

    rules: SignalRules
    _trading_day: date | None = None
    _last: dict[tuple[object, ...], SignalGenerated] = field(default_factory=dict)
    _seen: set[UUID] = field(default_factory=set)
    _states: dict[UUID, State] = field(default_factory=dict)
    refused_transitions: int = 0

    def on_event(self, event: Event, now_ms: int) -> tuple[Event, ...]:
        """Return the events that a strategy signal causes; note the state after an update."""
        if isinstance(event, StrategySignal):
            return self._on_signal(event, now_ms)
        if isinstance(event, SignalUpdate):
            self._apply(event)
        return ()

    def restore(self, event: Event) -> None:
        """Restore from an event published before a restart; only the latest day is kept."""
        self._start_day(event.trading_day)
        if event.trading_day != self._trading_day:
            return
        if isinstance(event, SignalGenerated):
            self._remember(event)
        elif isinstance(event, SignalUpdate):
            self._apply(event)
            self._seen |= {event.causation_id} if event.causation_id else set()

    def state_of(self, signal_id: UUID) -> State | None:
        """Return the state of a signal of the day."""
        return self._states.get(signal_id)

    def _on_signal(self, signal: StrategySignal, now_ms: int) -> tuple[Event, ...]:
        """Validate a signal once; SignalValidated comes last, since it marks the signal as seen."""
        self._start_day(signal.trading_day)
        if signal.event_id in self._seen:
            return ()
        generated = SignalGenerated.of(signal)
        refusal = self._refusal(signal, now_ms)
        if refusal:
            reason, numbers = refusal
            rejected = _update(SignalRejected, generated, signal, reason, numbers)
            self._seen.add(signal.event_id)
            return (rejected,)
        validated = _update(SignalValidated, generated, signal, "", {})
        self._remember(generated)
        self._seen.add(signal.event_id)
        return generated, validated

    def _refusal(self, signal: StrategySignal, now_ms: int) -> tuple[str, Numbers] | None:
        if signal.tradingsymbol.upper().startswith(TEST_PREFIX):
            return "test_symbol", {"tradingsymbol": signal.tradingsymbol}
        stale = staleness(signal, now_ms, self.rules.max_age_ms)
        if stale is not None:
            return "stale", stale
        last = self._last.get(_duplicate_key(signal))
        if last is not None and last.causation_id != signal.event_id and _repeats(signal, last):
            return "duplicate", {
                "price": signal.price,
                "last_stop_loss": last.stop_loss,
                "last_target": last.target,
                "last_signal": str(last.signal_id),
            }
        return None

    def _remember(self, generated: SignalGenerated) -> None:
        self._last[_duplicate_key(generated)] = generated
        self._states.setdefault(generated.signal_id, "NEW")

    def _apply(self, update: SignalUpdate) -> None:
        state = self._states.get(update.signal_id, "NEW")
        following = STATE_AFTER[type(update)]
        if may_follow(state, following):
            self._states[update.signal_id] = following
        elif state != following:
            self.refused_transitions += 1

    def _start_day(self, day: date) -> None:
        if self._trading_day is None or day > self._trading_day:
            self._trading_day = day
            self._last, self._seen, self._states = {}, set(), {}


def _duplicate_key(signal: SignalFields) -> tuple[object, ...]:
    """Return the key of duplicates: the symbol, and the strategy with its parameters."""
    parameters = tuple(sorted(signal.parameters.items()))
    return signal.tradingsymbol, signal.strategy, signal.strategy_version, parameters


def _repeats(signal: StrategySignal, last: SignalGenerated) -> bool:
    """Return whether the last signal has the same action and is still open at this price."""
    lowest, highest = sorted((last.stop_loss, last.target))
    return signal.action == last.action and lowest < signal.price < highest


def _update(
    kind: type[SignalUpdate],
    generated: SignalGenerated,
    cause: StrategySignal,
    reason: str,
    numbers: Numbers,
) -> SignalUpdate:
    return kind.of(generated, cause.occurred_at, cause.trading_day, reason, numbers, cause)
