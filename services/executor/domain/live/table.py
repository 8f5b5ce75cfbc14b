"""The table of all situations and their outcomes in docs/going-live.md, made from the code."""

from collections.abc import Iterator
from itertools import product
from typing import get_args

from libs.events.orders import Mode
from services.executor.domain.live.outcome import (
    BusKind,
    ClockName,
    Footing,
    Outcome,
    Situation,
    VenueKind,
    outcome_of,
)

ANY = "any"
_YES_NO = ("yes", "no")
DIMENSIONS: tuple[tuple[str, ...], ...] = (
    get_args(Mode),
    get_args(VenueKind),
    get_args(ClockName),
    get_args(BusKind),
    _YES_NO,
    _YES_NO,
)
_HEAD = ("mode", "venue", "clock", "bus", "session", "armed", "what happens")
_WORDS = {
    "refuses_to_start": "refuses to start",
    "refuses_entries": "refuses entries",
    "logs": "logs decisions, sends nothing",
    "trades_on_paper": "trades on paper",
    "trades_live": "**sends live orders**",
}


def all_situations() -> Iterator[tuple[tuple[str, ...], Situation]]:
    """Yield every combination of the dimensions, as words and as a situation."""
    for words in product(*DIMENSIONS):
        yield words, _situation(words)


def outcome_table() -> str:
    """Return the table as Markdown; `any` stands where a column makes no difference any more."""
    rows = [_HEAD, tuple("-" * 3 for _ in _HEAD), *_rows(())]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _rows(begun: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    outcomes = {outcome_of(one) for words, one in all_situations() if words[: len(begun)] == begun}
    if len(outcomes) == 1:
        rest = (ANY,) * (len(DIMENSIONS) - len(begun))
        yield (*begun, *rest, _told(outcomes.pop()))
        return
    for value in DIMENSIONS[len(begun)]:
        yield from _rows((*begun, value))


def _situation(words: tuple[str, ...]) -> Situation:
    mode, venue, clock, bus, session, armed = words
    footing = Footing(venue, clock, bus)  # type: ignore[arg-type]  # words of the same literals
    return Situation(mode, footing, session == "yes", armed == "yes")  # type: ignore[arg-type]


def _told(outcome: Outcome) -> str:
    return _WORDS[outcome.happens] + (f": `{outcome.why}`" if outcome.why else "")
