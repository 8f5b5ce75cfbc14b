"""What the latest comparison says, for a person who looks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from libs.broker.port import Margin
from services.executor.domain.reconciliation.comparison import Comparison
from services.executor.domain.reconciliation.findings import (
    Adopt,
    Agree,
    Correct,
    Difference,
    Finding,
    Foreign,
    Oversold,
    Quarantine,
    Unconfirmed,
)
from services.executor.domain.reconciliation.reconciler import Reconciler, contract_of
from services.executor.domain.reconciliation.snapshot import ContractKey

Outcome: TypeAlias = Literal[
    "agree", "adopt", "correct", "oversold", "foreign", "quarantine", "unconfirmed"
]
_OUTCOMES: Mapping[type[object], Outcome] = {
    Quarantine: "quarantine",
    Oversold: "oversold",
    Correct: "correct",
    Adopt: "adopt",
    Unconfirmed: "unconfirmed",
    Agree: "agree",
    Foreign: "foreign",
}
"""The gravest first."""


@dataclass(frozen=True, slots=True)
class ContractOutcome:
    """A contract in one product; units: what we hold, what the account has net, and by hand."""

    key: ContractKey
    outcome: Outcome
    ours: int
    account: int
    by_hand: int
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReconciliationView:
    """The latest comparison: when (epoch ms), how old the last clean one is, and each contract.

    None: there was none yet. `quarantines` are the reasons by underlying, `unreadable` the rows
    of the broker that could not be read.
    """

    at_ms: int | None
    clean_ms: int | None
    age_ms: int | None
    contracts: tuple[ContractOutcome, ...]
    quarantines: Mapping[str, str]
    unreadable: tuple[str, ...]
    margins: Mapping[str, Margin]


def view_of(reconciler: Reconciler, now_ms: int) -> ReconciliationView:
    """Return what a reconciler found last."""
    by_key: dict[ContractKey, list[Finding]] = {}
    for finding in reconciler.found:
        key = contract_of(finding)
        if key is not None:
            by_key.setdefault(key, []).append(finding)
    compared = {one.key: one for one in reconciler.comparisons}
    return ReconciliationView(
        at_ms=reconciler.at_ms,
        clean_ms=reconciler.last_clean_ms,
        age_ms=reconciler.age_ms(now_ms),
        contracts=tuple(_outcome(key, found, compared) for key, found in by_key.items()),
        quarantines=reconciler.quarantines,
        unreadable=tuple(f"{one.kind} {one.name}" for one in reconciler.unreadable),
        margins=reconciler.margins,
    )


def _outcome(
    key: ContractKey, found: Iterable[Finding], compared: Mapping[ContractKey, Comparison]
) -> ContractOutcome:
    found = list(found)
    kinds = {type(one) for one in found}
    outcome = next(name for kind, name in _OUTCOMES.items() if kind in kinds)
    by_hand = sum(one.quantity for one in found if isinstance(one, Foreign))
    one = compared.get(key)
    return ContractOutcome(
        key=key,
        outcome=outcome,
        ours=one.held if one else 0,
        account=one.net if one else by_hand,
        by_hand=by_hand,
        why=tuple(said for one in found if (said := said_of(one))),
    )


def said_of(finding: Finding) -> str:
    """Return a finding in words, empty for one that needs none."""
    if isinstance(finding, Unconfirmed):
        return f"seen once: {_difference(finding.finding)}"
    if isinstance(finding, Adopt):
        update = finding.update
        return f"order {update.broker_order_id} is {update.status}, {update.filled_quantity} filled"
    if isinstance(finding, Correct | Oversold | Quarantine):
        return _difference(finding)
    if isinstance(finding, Foreign) and (finding.buying or finding.selling):
        return f"orders by hand: {finding.buying} units to buy, {finding.selling} to sell"
    return ""


_CAUSES: Mapping[str, str] = {
    "manual": "by hand",
    "square_off": "by the broker's square-off",
    "expiry": "by the settlement at expiry",
    "earlier_day": "on an earlier day",
    "flattened": "by `alphastocks flatten`",
}


def _difference(found: Difference) -> str:
    if isinstance(found, Quarantine):
        return found.why
    if isinstance(found, Oversold):
        return f"{found.quantity} units were sold that were not held"
    verb = "sold" if found.transaction_type == "SELL" else "bought back"
    return f"{found.quantity} units were {verb} {_CAUSES[found.reason]}"
