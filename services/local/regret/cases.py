"""Decisions with their candidates, as an outcome folder holds them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from pydantic import ValidationError

from libs.errors import AlphaStocksError
from libs.events.event import Event
from libs.events.orders import OrderPlanned
from libs.events.signals import ExecutionDecided, SignalGenerated

E = TypeVar("E", bound=Event)
TERMS = ("distance", "delta", "volatility", "liquidity", "spread")
"""The terms of the score, as the weights in the settings are called."""


class RegretError(AlphaStocksError):
    """An outcome or quotes with which nothing can be compared; one line that names them."""


class Candidate(NamedTuple):
    """A contract that could have been bought: its place, and its terms of the score (0..1)."""

    tradingsymbol: str
    instrument_token: int
    strike: float
    strikes_from_atm: int
    ask_price: float
    terms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Case:
    """A decision for `chosen` out of several candidates; `plan` is its entry, None if only logged.

    `lots` are those of the decision.
    """

    signal_id: UUID
    decided_ms: int
    day: date
    strategy: str
    underlying: str
    action: str
    chosen: str
    lots: int
    candidates: Sequence[Candidate]
    plan: OrderPlanned | None = None

    @property
    def own(self) -> Candidate:
        """The candidate that was chosen."""
        return next(one for one in self.candidates if one.tradingsymbol == self.chosen)


def read_cases(folder: Path) -> list[Case]:
    """Return the decisions of an outcome that chose one of several; raise RegretError without any.

    What was refused has nothing to compare.
    """
    decisions = list(_events(folder / "decisions.jsonl", ExecutionDecided))
    plans = {one.signal_id: one for one in _entries(folder)}
    actions = {
        one.signal_id: one.action for one in _events(folder / "signals.jsonl", SignalGenerated)
    }
    cases = [case_of(one, plans.get(one.signal_id), actions) for one in decisions]
    found = [case for case in cases if case is not None]
    if not found:
        raise RegretError(f"{folder}: none of {len(decisions)} decisions chose one of several")
    return found


def case_of(
    event: ExecutionDecided, plan: OrderPlanned | None, actions: Mapping[UUID, str]
) -> Case | None:
    """Return a decision's case; None if there was nothing to choose."""
    candidates = candidates_of(event.candidates)
    if not event.tradingsymbol or len(candidates) < 2:
        return None
    return Case(
        signal_id=event.signal_id,
        decided_ms=event.occurred_ms,
        day=event.trading_day,
        strategy=event.strategy,
        underlying=event.underlying,
        action=actions.get(event.signal_id, ""),
        chosen=event.tradingsymbol,
        lots=event.lots,
        candidates=candidates,
        plan=plan,
    )


def candidates_of(table: Iterable[Mapping[str, Any]]) -> list[Candidate]:
    """Return the candidates of a decision's table that could have been bought."""
    return [_candidate(row) for row in table if not row.get("refusal")]


def _candidate(row: Mapping[str, Any]) -> Candidate:
    return Candidate(
        tradingsymbol=str(row["tradingsymbol"]),
        instrument_token=int(row["instrument_token"]),
        strike=float(row["strike"]),
        strikes_from_atm=int(row["strikes_from_atm"]),
        ask_price=float(row["ask_price"] or 0),
        terms={term: float(row[f"{term}_term"]) for term in TERMS},
    )


def _entries(folder: Path) -> Iterator[OrderPlanned]:
    for event in _events(folder / "orders.jsonl", OrderPlanned):
        if event.leg == "entry":
            yield event


def _events(file: Path, kind: type[E]) -> Iterator[E]:
    """Yield the events of a kind in a file; RegretError names the line that cannot be read."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RegretError(f"{file}: {getattr(error, 'strerror', None) or error}") from None
    for number, line in enumerate(lines, start=1):
        if f'"type":"{kind.__name__}"' not in line:
            continue
        try:
            yield kind.model_validate_json(line)
        except ValidationError as error:
            why = error.errors()[0]["msg"]
            raise RegretError(f"{file}, line {number}: {why}") from None
