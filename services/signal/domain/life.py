"""The states of a signal, and which event leads to which state."""

from typing import Literal

from libs.events import signals

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
