"""Exit requests that were made, by position and rule."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from libs.events.positions import ExitReason, ExitRequested, PositionEvent
from services.position.domain.exit_rules.rule import Exit, ExitRule, Mark


@dataclass(slots=True)
class ExitRequests:
    """The requests of each position, by id. Each rule requests an exit once.

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
        reasons = {one.reason for one in requested}
        for rule in rules:
            wanted = rule.check(mark, position)
            if wanted is None or wanted.reason in reasons:
                continue
            yield wanted
            if wanted.lots is None:
                return

    def reason(self, position: PositionEvent) -> ExitReason:
        """Return why a position was sold: the reason of the first request for everything.

        Without one, that of the latest request for a part; without any request, `manual`. The
        executor names the reason of its sales by the same rule.
        """
        requested = self._of(position)
        latest = requested[-1] if requested else None
        leading = next((one for one in requested if one.lots is None), latest)
        return leading.reason if leading else "manual"

    def _of(self, position: PositionEvent) -> list[ExitRequested]:
        requests = self._by_position.get(position.position_id, {}).values()
        return [one for one in requests if one.occurred_at >= position.opened_at]
