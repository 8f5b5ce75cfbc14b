"""Orders in doubt: asked for, and not seen at the broker.

A request whose reply was lost may still be on its way, and so may one of a process that died.
Nobody can tell for a while: then the broker's order book decides.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from services.executor.domain.order import Order


@dataclass(slots=True)
class Doubts:
    """Since when orders are in doubt, and when the book was last asked (epoch ms)."""

    _since: dict[UUID, int | None] = field(default_factory=dict)
    _asked_ms: int | None = None

    def begin(self, order: Order, now_ms: int | None) -> None:
        """Note an order in doubt from now on; None: from the next look at the clock on.

        At a restart a feed's clock stands still.
        """
        self._since.setdefault(order.plan.order_id, now_ms)

    def due(
        self, working: Iterable[Order], now_ms: int, doubt_ms: int, again_ms: int
    ) -> tuple[Order, ...]:
        """Return the orders that the book is to decide now: in doubt for `doubt_ms`.

        One question is for all of them; it is asked again after `again_ms`.
        """
        if not self._since:
            return ()
        doubtful = {one.plan.order_id: one for one in working if one.state == "unresolved"}
        since = {key: now_ms if at is None else at for key, at in self._since.items()}
        self._since = {key: at for key, at in since.items() if key in doubtful}
        if self._asked_ms is not None and now_ms - self._asked_ms < again_ms:
            return ()
        due = [doubtful[key] for key in self._since if now_ms - since[key] >= doubt_ms]
        if due:
            self._asked_ms = now_ms
        return tuple(due)


def missing(orders: Iterable[Order], tags: Collection[str]) -> list[Order]:
    """Return the orders that are still in doubt and not among the tags of a book."""
    return [one for one in orders if one.state == "unresolved" and one.plan.tag not in tags]
