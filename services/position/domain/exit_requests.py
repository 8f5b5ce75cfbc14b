"""Exit requests that were made, by position and rule."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from uuid import UUID

from libs.events.positions import ExitReason, ExitRequested, PositionEvent
from services.position.domain.exit_rules.booking import due_bookings
from services.position.domain.exit_rules.rule import Exit, ExitRule, Mark


@dataclass(slots=True)
class ExitRequests:
    """The requests of each position, by id. Each rule, and each booking, requests an exit once.

    After a request for a part, its rule makes no more requests; after one for everything, no rule
    does. Requests older than the position belong to an earlier one with the same id: ignored.
    """

    _by_position: dict[UUID, dict[UUID, ExitRequested]] = field(default_factory=dict)

    def add(self, request: ExitRequested) -> None:
        """Remember a request; a repeat changes nothing."""
        self._by_position.setdefault(request.position_id, {})[request.event_id] = request

    def forget(self, position_id: UUID) -> None:
        """Drop the requests of a position that is closed."""
        self._by_position.pop(position_id, None)

    def is_left(self, position: PositionEvent) -> bool:
        """Return whether an exit of all of a position was requested."""
        return any(one.lots is None for one in self._of(position))

    def due(
        self,
        rules: Sequence[ExitRule],
        mark: Mark,
        position: PositionEvent,
        wanted_before: Sequence[Exit] = (),
    ) -> Iterator[Exit]:
        """Yield the exits that the rules want now and have not requested yet, in rule order.

        `wanted_before`: exits that are about to be requested.
        """
        requested: list[ExitRequested | Exit] = [*self._of(position), *wanted_before]
        if any(one.lots is None for one in requested):
            return
        done = {(one.reason, one.step) for one in requested}
        for rule in rules:
            wanted = rule.check(mark, position)
            if wanted is None or (wanted.reason, wanted.step) in done:
                continue
            yield wanted
            if wanted.lots is None:
                return
        if position.exit_plan is not None:
            yield from _bookings(mark, position, requested, done)

    def reason(self, position: PositionEvent) -> ExitReason:
        """Return why a position was sold: the reason of the first request for everything.

        Without one, that of the latest request for a part; without any request, `manual`. The
        executor names the reason of its sales by the same rule.
        """
        requested = self._of(position)
        latest = requested[-1] if requested else None
        leading = next((one for one in requested if one.lots is None), latest)
        return leading.reason if leading else "manual"

    def price(self, position: PositionEvent) -> Decimal | None:
        """Return what the rule of the latest request saw, rupees; None: not known."""
        requested = self._of(position)
        return requested[-1].price if requested else None

    def _of(self, position: PositionEvent) -> list[ExitRequested]:
        requests = self._by_position.get(position.position_id, {}).values()
        return [one for one in requests if one.occurred_at >= position.opened_at]


def _bookings(
    mark: Mark,
    position: PositionEvent,
    requested: Sequence[ExitRequested | Exit],
    done: Collection[tuple[ExitReason, int | None]],
) -> Iterator[Exit]:
    """Yield the bookings that are due and were not requested; never more lots than are held."""
    due = [one for one in due_bookings(mark, position) if (one.reason, one.step) not in done]
    free = _free_lots(position, requested) if due else 0
    for one in due:
        lots = min(one.lots or 0, free)
        if lots > 0:
            free -= lots
            yield replace(one, lots=lots)


def _free_lots(position: PositionEvent, requested: Sequence[ExitRequested | Exit]) -> int:
    """Return the lots that are held and not requested yet."""
    lot_size = position.contract.lot_size
    asked, sold = sum(one.lots or 0 for one in requested), position.sold_quantity // lot_size
    return position.quantity // lot_size - max(0, asked - sold)
