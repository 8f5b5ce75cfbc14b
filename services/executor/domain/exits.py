"""The exit requests of a position: how much they ask to sell, and why."""

from dataclasses import dataclass, field, replace
from uuid import UUID

from libs.events.event import utc_from_ms
from libs.events.orders import OrderPlanned
from libs.events.positions import ExitReason, ExitRequested
from libs.market.calendar import IST
from services.executor.domain.blotter import Holding


@dataclass(slots=True)
class ExitRequests:
    """The exit requests of one position, each counted once: all of it, or the sum of their lots.

    They are kept after the position has closed (`is_done`), since a late fill is sold too.
    """

    is_done: bool = False
    _requests: dict[UUID, ExitRequested] = field(default_factory=dict)

    def add(self, request: ExitRequested) -> None:
        """Add a request; a repeat changes nothing."""
        self._requests.setdefault(request.event_id, request)

    @property
    def leading(self) -> ExitRequested:
        """The first request for all, else the latest one: it is the cause of the sale."""
        requests = list(self._requests.values())
        return next((one for one in requests if one.lots is None), requests[-1])

    def quantity(self, holding: Holding, lot_size: int) -> int:
        """Return the units still to be sold: requested, held, and not being sold already."""
        if self.leading.lots is None:
            return holding.sellable
        lots = sum(one.lots or 0 for one in self._requests.values())
        asked_for = holding.sold - holding.sold_unasked + holding.selling
        wanted = lots * lot_size - asked_for
        return max(0, min(wanted, holding.sellable))

    def leaving(self, holding: Holding, lot_size: int) -> int:
        """Return the units that are asked to be sold and held still; the others stay guarded."""
        return self.quantity(replace(holding, guarding=0), lot_size) + holding.selling


def exit_request(entry: OrderPlanned, reason: ExitReason, why: str, now_ms: int) -> ExitRequested:
    """Return the executor's own request to leave a position; `why` makes its id."""
    at = utc_from_ms(now_ms)
    envelope = ExitRequested.after(
        entry,
        entry.position_id,
        why,
        occurred_at=at,
        trading_day=at.astimezone(IST).date(),
        correlation_id=entry.correlation_id,
    )
    return ExitRequested(
        **envelope, position_id=entry.position_id, signal_id=entry.signal_id, reason=reason
    )
