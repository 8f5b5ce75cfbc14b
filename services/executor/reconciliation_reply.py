"""What GET /control/reconciliation replies; quantities in units, money is text in rupees."""

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, Field

from libs.events.event import utc_from_ms
from services.executor.domain.reconciliation import ContractOutcome, ReconciliationView
from services.executor.domain.reconciliation.view import Outcome
from services.executor.replies import Rupees


class ReconciledContract(BaseModel):
    """A contract in one product."""

    exchange: str
    tradingsymbol: str
    product: str
    outcome: Outcome
    ours: int = Field(description="units that our books hold")
    account: int = Field(description="the account's net units")
    by_hand: int = Field(description="net units that its owner traded by hand")
    why: list[str]


class ReconciledFunds(BaseModel):
    """The funds of a segment."""

    available: Rupees
    used: Rupees


class Reconciliation(BaseModel):
    """The latest comparison of our books with the account; null is none yet."""

    at: AwareDatetime | None = Field(description="when the account was read last")
    clean_at: AwareDatetime | None = Field(description="when all of it agreed last")
    age_seconds: float | None = Field(description="since then")
    contracts: list[ReconciledContract]
    quarantines: dict[str, str] = Field(description="why there is no entry, by underlying")
    unreadable: list[str] = Field(description="rows of the broker that could not be read")
    funds: dict[str, ReconciledFunds] = Field(description="by segment; none in paper trading")


def reconciliation_of(view: ReconciliationView) -> Reconciliation:
    """Return the reply for what was found last."""
    return Reconciliation(
        at=_time(view.at_ms),
        clean_at=_time(view.clean_ms),
        age_seconds=None if view.age_ms is None else view.age_ms / 1000,
        contracts=[_contract(one) for one in view.contracts],
        quarantines=dict(view.quarantines),
        unreadable=list(view.unreadable),
        funds={
            segment: ReconciledFunds(available=margin.available, used=margin.used)
            for segment, margin in view.margins.items()
        },
    )


def _contract(one: ContractOutcome) -> ReconciledContract:
    return ReconciledContract(
        exchange=one.key.exchange,
        tradingsymbol=one.key.tradingsymbol,
        product=one.key.product,
        outcome=one.outcome,
        ours=one.ours,
        account=one.account,
        by_hand=one.by_hand,
        why=list(one.why),
    )


def _time(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else utc_from_ms(at_ms)
