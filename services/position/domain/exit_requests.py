"""What was asked to be left, remembered by position and rule."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from libs.events.positions import ExitReason, ExitRequested, PositionEvent
from services.position.domain.exit_rules.rule import Exit, ExitRule, Mark


@dataclass(slots=True)
class ExitRequests:
    """The requests of each position, by id. A rule's request is made once.

    A request for a part silences its own rule, one for everything silences all of them. What was
    asked before a position's opening was of an earlier one with the same id: it does not count.
    """

    _by_position: dict[UUID, dict[UUID, ExitRequested]] = field(default_factory=dict)

    def add(self, request: ExitRequested) -> None:
        """Take a request; a repeat changes nothing."""
        self._by_position.setdefault(request.position_id, {})[request.event_id] = request

    def forget(self, position_id: UUID) -> None:
        """Drop the requests of a position that is closed."""
        self._by_position.pop(position_id, None)

    def due(self, rules: Sequence[ExitRule], mark: Mark, position: PositionEvent) -> Iterator[Exit]:
        """Yield what the rules want to leave now and was not asked for before, in their order."""
        asked = self._of(position)
        if any(one.lots is None for one in asked):
            return
        silent = {one.reason for one in asked}
        for rule in rules:
            wanted = rule.check(mark, position)
            if wanted is None or wanted.reason in silent:
                continue
            yield wanted
            if wanted.lots is None:
                return

    def reason(self, position: PositionEvent) -> ExitReason:
        """Return why a position that is sold was left: the first request for everything leads.

        Else the latest for a part, like the executor's sales; `manual` when nothing was asked for.
        """
        asked = self._of(position)
        leading = next((one for one in asked if one.lots is None), asked[-1] if asked else None)
        return leading.reason if leading else "manual"

    def _of(self, position: PositionEvent) -> list[ExitRequested]:
        requests = self._by_position.get(position.position_id, {}).values()
        return [one for one in requests if one.occurred_at >= position.opened_at]
