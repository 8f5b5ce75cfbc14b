"""What the exit requests of a position add up to."""

from dataclasses import dataclass, field
from uuid import UUID

from libs.events.positions import ExitRequested
from services.executor.domain.blotter import Holding


@dataclass(slots=True)
class ExitWish:
    """The exit requests of one position, each counted once: all of it, or so many lots together.

    It outlives the position's closing (`is_done`), since a late fill is to be sold too.
    """

    is_done: bool = False
    _requests: dict[UUID, ExitRequested] = field(default_factory=dict)

    def add(self, request: ExitRequested) -> None:
        """Take a request; a repeat changes nothing."""
        self._requests.setdefault(request.event_id, request)

    @property
    def leading(self) -> ExitRequested:
        """The first request for all, else the latest one: reason and cause of what is sold."""
        requests = list(self._requests.values())
        return next((one for one in requests if one.lots is None), requests[-1])

    def quantity(self, holding: Holding, lot_size: int) -> int:
        """Return the units still to be sold: asked for, held, and not being sold already."""
        if self.leading.lots is None:
            return holding.sellable
        lots = sum(one.lots or 0 for one in self._requests.values())
        wanted = lots * lot_size - holding.sold - holding.selling
        return max(0, min(wanted, holding.sellable))
