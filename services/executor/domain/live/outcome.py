"""What happens in each combination of mode, venue, clock, bus, session and arming.

The executor asks `outcome_of` when it starts and before each entry. The table in
docs/going-live.md is made from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from libs.events.orders import Mode

VenueKind = Literal["paper", "simulator", "real"]
"""paper: filled by the quotes; simulator: of Kite; real: the account of a broker."""
BusKind = Literal["local", "kafka"]
ClockName = Literal["wall", "feed"]
Happens = Literal["refuses_to_start", "refuses_entries", "logs", "trades_on_paper", "trades_live"]


@dataclass(frozen=True, slots=True)
class Footing:
    """What stays the same as long as the executor runs."""

    venue: VenueKind = "paper"
    clock: ClockName = "feed"
    bus: BusKind = "local"


@dataclass(frozen=True, slots=True)
class Situation:
    """The footing, the mode, and whether there is a session at the broker and an arming."""

    mode: Mode
    footing: Footing
    has_session: bool
    is_armed: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happens; `why` is the line of a refusal to start, or the reason against entries.

    Exits, stops, cancellations and reconciliation go on in each outcome but a refusal to start.
    """

    happens: Happens
    why: str = ""

    @property
    def refusal(self) -> str:
        """The reason against entries while the executor runs, empty if they may be sent."""
        if self.happens == "refuses_to_start":  # the mode was changed since
            return "mode_unfit"
        return self.why if self.happens == "refuses_entries" else ""


_NOT_LIVE: Mapping[Mode, Outcome] = {
    "disabled": Outcome("refuses_entries", "disabled"),
    "logging_only": Outcome("logs"),
    "paper": Outcome("trades_on_paper"),
}


def outcome_of(now: Situation) -> Outcome:
    """Return what happens in a situation."""
    if line := start_refusal(now.mode, now.footing):
        return Outcome("refuses_to_start", line)
    if now.mode != "live":
        return _NOT_LIVE[now.mode]
    if not now.has_session:
        return Outcome("refuses_entries", "no_session")
    if not now.is_armed:
        return Outcome("refuses_entries", "not_armed")
    return Outcome("trades_live")


def start_refusal(mode: Mode, footing: Footing) -> str:
    """Return the line with which the executor refuses to start, empty if it starts."""
    is_real = footing.venue == "real"
    if mode != "live" and is_real:
        return f"executor.venue: it takes real orders, which {mode} must not send"
    return _live_refusal(footing) if mode == "live" else ""


def _live_refusal(footing: Footing) -> str:
    is_real = footing.venue == "real"
    if footing.venue == "paper":
        return "executor.venue: paper sends no orders: live needs kite, or simulator to try it"
    if is_real and footing.clock != "wall":
        return "runtime.clock: a real account is traded by the machine's clock: write wall"
    if is_real and footing.bus != "kafka":
        return "bus.kind: a real account needs a bus that outlives this process: write kafka"
    if not is_real and footing.clock != "feed":
        return "runtime.clock: a simulator is traded by its own time: write feed"
    return ""
