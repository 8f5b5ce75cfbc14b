"""Orders in doubt: requested, and not seen at the broker.

A request whose reply was lost, or whose process died, may still reach the broker. After a while
the broker's order book decides.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from services.executor.domain.order import Order


@dataclass(slots=True)
class Doubts:
    """Since when orders are in doubt, and when the book was last asked for (epoch ms)."""

    _since: dict[UUID, int | None] = field(default_factory=dict)
    _asked_ms: int | None = None

    def begin(self, order: Order, now_ms: int | None) -> None:
        """Note an order in doubt since `now_ms`; None: since the next call of `due`.

        None is for a restart, when a feed's clock has not started yet.
        """
        self._since.setdefault(order.plan.order_id, now_ms)

    def due(
        self, working: Iterable[Order], now_ms: int, doubt_ms: int, again_ms: int
    ) -> tuple[Order, ...]:
        """Return the orders that have been in doubt for `doubt_ms`: the book decides them now.

        One look-up serves all of them; it is repeated after `again_ms`.
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
    """Return the orders that are still in doubt and whose tag is not in the book."""
    return [one for one in orders if one.state == "unresolved" and one.plan.tag not in tags]
