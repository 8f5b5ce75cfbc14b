"""The CSV files of `alphastocks regret`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields

from libs.events.event import utc_from_ms
from libs.market.calendar import IST
from services.local.play.outcome import csv_text
from services.local.regret.cases import TERMS
from services.local.regret.comparing import Comparison
from services.local.regret.following import Followed

_CANDIDATES = (
    *("decided_at", "strategy", "underlying", "tradingsymbol", "chosen", "strike"),
    *("strikes_from_atm", *(f"{term}_term" for term in TERMS)),
    *("paid", "net", "gain", "exit_reason", "held_seconds"),
)
_COMPARED = (*(one.name for one in fields(Comparison)), "verdict")


def files_of(
    followed: Sequence[Followed],
    distances: Iterable[Comparison],
    weights: Iterable[Comparison],
) -> dict[str, str]:
    """Return file name → content: each candidate, and the comparisons."""
    return {
        "candidates.csv": csv_text(_CANDIDATES, map(_candidate, followed)),
        "strikes.csv": csv_text(_COMPARED, map(_compared, distances)),
        "weights.csv": csv_text(_COMPARED, map(_compared, weights)),
    }


def _candidate(one: Followed) -> Sequence[object]:
    case, candidate = one.case, one.candidate
    return (
        utc_from_ms(case.decided_ms).astimezone(IST).isoformat(),
        case.strategy,
        case.underlying,
        candidate.tradingsymbol,
        int(candidate.tradingsymbol == case.chosen),
        candidate.strike,
        candidate.strikes_from_atm,
        *(candidate.terms[term] for term in TERMS),
        one.paid,
        one.net,
        f"{one.gain:.6f}",
        one.reason,
        one.held_ms // 1000,
    )


def _compared(one: Comparison) -> Iterator[object]:
    values = (getattr(one, name) for name in _COMPARED)
    return (f"{value:.6f}" if isinstance(value, float) else value for value in values)
