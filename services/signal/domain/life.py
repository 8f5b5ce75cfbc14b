"""The states of a signal, which event leads to which state, and the life of one signal."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, Self
from uuid import UUID

from libs.events import signals
from libs.market.calendar import IST

State = Literal[
    "NEW", "VALIDATED", "REJECTED", "LOGGED", "ACTIVATED", "COMPLETED", "STOPPED", "EXPIRED"
]

STATE_AFTER: dict[type[signals.SignalUpdate], State] = {
    signals.SignalValidated: "VALIDATED",
    signals.SignalRejected: "REJECTED",
    signals.SignalLogged: "LOGGED",
    signals.SignalActivated: "ACTIVATED",
    signals.SignalCompleted: "COMPLETED",
    signals.SignalStopped: "STOPPED",
    signals.SignalExpired: "EXPIRED",
}
TRANSITIONS: dict[State, frozenset[State]] = {
    "NEW": frozenset({"VALIDATED", "REJECTED"}),
    "VALIDATED": frozenset({"REJECTED", "LOGGED", "ACTIVATED", "EXPIRED"}),
    "ACTIVATED": frozenset({"COMPLETED", "STOPPED"}),
    "LOGGED": frozenset(),
    "REJECTED": frozenset(),
    "COMPLETED": frozenset(),
    "STOPPED": frozenset(),
    "EXPIRED": frozenset(),
}


def may_follow(state: State, following: State) -> bool:
    """Return whether a signal in `state` may change to `following`."""
    return following in TRANSITIONS[state]


ENDS = frozenset(state for state, following in TRANSITIONS.items() if not following)
"""The states that no other one follows."""
_ORDER: dict[State, int] = {"NEW": 0, "VALIDATED": 1, "COMPLETED": 3, "STOPPED": 3}
_BETWEEN = 2


@dataclass(frozen=True, slots=True)
class Step:
    """A state that a signal reached, or that an event claims: when, why, by which numbers."""

    event_id: UUID
    state: State
    at: datetime
    reason: str = ""
    numbers: dict[str, float | str] = field(default_factory=dict)

    @classmethod
    def of(cls, update: signals.SignalUpdate) -> Self:
        """Return the step of an update."""
        state = STATE_AFTER[type(update)]
        return cls(update.event_id, state, update.occurred_at, update.reason, update.numbers)


@dataclass(frozen=True, slots=True)
class Levels:
    """What a signal says of itself: prices of the underlying, confidence 0..1."""

    price: float
    stop_loss: float
    target: float
    confidence: float


@dataclass(slots=True)
class Life:
    """A signal and its steps, in the order in which they came.

    `levels` are None for a signal that was refused before it was passed on. An update may overtake
    an earlier one: the state is that of the steps in the order of the states.
    """

    signal_id: UUID
    strategy: str
    underlying: str
    tradingsymbol: str
    action: signals.Action
    trading_day: date
    began_at: datetime
    levels: Levels | None = None
    steps: list[Step] = field(default_factory=list)

    @classmethod
    def of(cls, event: signals.SignalGenerated | signals.SignalUpdate) -> Self:
        """Return the life that a signal's first event begins, without a step."""
        return cls(
            signal_id=event.signal_id,
            strategy=event.strategy,
            underlying=event.underlying,
            tradingsymbol=event.tradingsymbol,
            action=event.action,
            trading_day=event.trading_day,
            began_at=event.occurred_at,
        )

    @classmethod
    def of_passed(cls, signal: signals.SignalGenerated) -> Self:
        """Return the life of a signal that was passed on, in state NEW."""
        life = cls.of(signal)
        life.levels = Levels(signal.price, signal.stop_loss, signal.target, signal.confidence)
        life.steps.append(Step(signal.event_id, "NEW", signal.occurred_at))
        return life

    @property
    def reached(self) -> list[Step]:
        """The steps that follow one another; what the table of transitions refuses is left out."""
        state: State = "NEW"
        reached: list[Step] = []
        for step in sorted(self.steps, key=_order):
            if step.state == "NEW" or may_follow(state, step.state):
                reached.append(step)
                state = step.state
        return reached

    @property
    def refused(self) -> list[Step]:
        """The steps that follow none of the states before them."""
        reached = self.reached
        return [step for step in self.steps if step not in reached]

    @property
    def state(self) -> State:
        """The state now."""
        reached = self.reached
        return reached[-1].state if reached else "NEW"

    @property
    def reason(self) -> str:
        """The reason of the state now."""
        reached = self.reached
        return reached[-1].reason if reached else ""

    @property
    def is_open(self) -> bool:
        """Whether another state may follow."""
        return self.state not in ENDS

    def was_on(self, day: date) -> bool:
        """Return whether it is open, or began or reached a state on this day (India) or later."""
        if self.is_open or self.trading_day >= day:
            return True
        return self.reached[-1].at.astimezone(IST).date() >= day


def _order(step: Step) -> int:
    return _ORDER.get(step.state, _BETWEEN)
