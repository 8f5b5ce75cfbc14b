"""The exit requests of a position: how much they ask to sell, and why."""

from dataclasses import dataclass, field
from uuid import UUID

from libs.events.positions import ExitRequested
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
