"""Of the closing orders of two runs at once, those that stay: each run finds the same ones."""

from collections.abc import Iterable
from dataclasses import dataclass

from libs.broker.port import OrderUpdate


@dataclass(frozen=True, slots=True)
class Sorted:
    """Working orders of this command in one contract: those that stay, and those to cancel."""

    kept: tuple[OrderUpdate, ...]
    excess: tuple[OrderUpdate, ...]

    @property
    def units(self) -> int:
        """The units that may still fill in orders that stay."""
        return sum(one.working_quantity for one in self.kept)


def sorted_out(orders: Iterable[OrderUpdate], units: int) -> Sorted:
    """Return which working orders stay: one of each tag, the earliest, up to what is to be closed.

    `units` are held, negative for a short; orders on the side that does not close them are too
    much.
    """
    side, room, tags = ("SELL" if units > 0 else "BUY"), abs(units), set[str]()
    kept, excess = list[OrderUpdate](), list[OrderUpdate]()
    for one in sorted((one for one in orders if one.status == "OPEN"), key=_arrival):
        left = one.working_quantity
        fits = one.transaction_type == side and one.tag not in tags and 0 < left <= room
        (kept if fits else excess).append(one)
        if fits:
            room -= left
            tags.add(one.tag)
    return Sorted(tuple(kept), tuple(excess))


def _arrival(order: OrderUpdate) -> tuple[int, str]:
    """Return the sort key of order ids, which the broker counts up, as numbers or as text."""
    return len(order.broker_order_id), order.broker_order_id
