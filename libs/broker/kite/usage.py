"""What the account has used of Kite's limits today: counted here, and seen in the order book.

So the counts last over a restart, and include orders that others placed for the account.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date

import structlog

from libs.broker.errors import BrokerError
from libs.broker.kite.mapping import Row, epoch_ms, tag_of
from libs.broker.kite.rest import KiteRest
from libs.broker.port.orders import is_own_tag
from libs.market.calendar import day_in_india

_SECOND_MS = 1_000
_CLOCK_MS = 60_000
"""A clock that is so far behind an order has not started yet."""
_MODIFYING = "MODIFY VALIDATION PENDING"


class Usage:
    """Counts the day's requests and each order's modifications; `now_ms` is the service's clock."""

    def __init__(
        self,
        rest: KiteRest,
        now_ms: Callable[[], int],
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._rest = rest
        self._now_ms = now_ms
        self._log = log
        self._day: date | None = None
        self._modified: Counter[str] = Counter()
        self._own_tags: set[str] = set()
        self._seen: set[str] = set()

    def own(self, tag: str) -> None:
        """Note the tag of an order that is placed here, whose request is counted already."""
        self._own_tags.add(tag)

    def modify(self, broker_order_id: str) -> None:
        """Count a modification."""
        self._modified[broker_order_id] += 1

    def give_back(self, broker_order_id: str) -> None:
        """Count a modification that was certainly not sent no longer."""
        self._modified[broker_order_id] -= 1

    def modifications_left(self, broker_order_id: str) -> int:
        """Return how often an order may still be modified."""
        return max(0, self._rest.limits.modifications - self._modified[broker_order_id])

    def begin_day(self) -> None:
        """Count anew if the day is another one."""
        today = day_in_india(self._now_ms())
        if today == self._day:
            return
        if self._day is not None:
            self._rest.begin_day()
            self._modified.clear()
            self._seen.clear()
        self._day = today

    async def count(self, rows: Iterable[object]) -> None:
        """Count the orders of the whole book, and modifications that were asked for elsewhere."""
        self.begin_day()
        orders = [row for row in rows if isinstance(row, dict) and row.get("order_id")]
        for row in orders:
            self._note_recent(row)
        for order_id in _modified_ones(orders):
            if not self._modified[order_id]:
                earlier = await self._modifications_of(order_id)
                self._modified[order_id] = max(earlier, self._modified[order_id])
        self._rest.count_day(len(orders) + self._modified.total())

    def _note_recent(self, row: Row) -> None:
        """Count the placing of an order that was placed elsewhere, against the short rates."""
        order_id = str(row["order_id"])
        if order_id in self._seen:
            return
        self._seen.add(order_id)
        placed_ms = epoch_ms(row.get("order_timestamp"))
        if placed_ms is None or tag_of(row) in self._own_tags:
            return
        # The time is cut to whole seconds: it may have been as late as the second's end.
        age_ms = self._now_ms() - placed_ms - _SECOND_MS
        if age_ms > -_CLOCK_MS:
            self._rest.note_order(max(0, age_ms))

    async def _modifications_of(self, broker_order_id: str) -> int:
        try:
            history = await self._rest.order_history(broker_order_id)
        except BrokerError as error:
            reason = str(error)
            self._log.warning("modifications not counted", order_id=broker_order_id, error=reason)
            return 0
        states = [row.get("status") for row in history if isinstance(row, dict)]
        return max(1, states.count(_MODIFYING))


def _modified_ones(rows: Sequence[Row]) -> list[str]:
    """Return the ids of our orders that were modified and may be modified again."""
    return [
        str(row["order_id"])
        for row in rows
        if row.get("modified") is True
        and is_own_tag(tag_of(row))
        and row.get("status") not in ("COMPLETE", "CANCELLED", "REJECTED")
    ]
