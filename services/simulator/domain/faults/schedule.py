"""The scheduled faults, and how often each was applied."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from services.simulator.domain.account.order import Order
from services.simulator.domain.errors import NotFound
from services.simulator.domain.faults.account_kinds import AccountFault
from services.simulator.domain.faults.kinds import (
    AnyRequestFault,
    AnySocketFault,
    CountedFault,
    Fault,
    MarketFault,
    Refuse,
    UpdateFault,
)
from services.simulator.domain.faults.order_kinds import (
    AnyOrderFault,
    LateFill,
    PlacingFault,
    RejectOrder,
)
from services.simulator.domain.faults.row_kinds import AnyRowFault
from services.simulator.domain.india_time import at_time

P = TypeVar("P", bound=PlacingFault)


@dataclass(slots=True)
class BookedFault:
    """A fault under its number: `skipped` let pass, `hits` applied.

    `refused` are Kite's words where what it stands for was refused, an order by hand say.
    """

    number: int
    fault: Fault
    from_ms: int
    skipped: int = 0
    hits: int = 0
    refused: str = ""
    passed: set[str] = field(default_factory=set)

    @property
    def is_spent(self) -> bool:
        """Whether it was applied as often as it should be."""
        times = self.fault.times if isinstance(self.fault, CountedFault) else 1
        return self.hits >= times

    def lets_pass(self, fault: CountedFault) -> bool:
        """Count a match; return whether it is one of the first, which are skipped."""
        if self.skipped < fault.skip:
            self.skipped += 1
            return True
        self.hits += 1
        return False

    def row(self) -> dict[str, Any]:
        """Return the fault with its counts, ready for JSON."""
        fields = self.fault.model_dump(mode="json", exclude_none=True)
        said = {"refused": self.refused} if self.refused else {}
        counts = {"skipped": self.skipped, "hits": self.hits}
        return {"number": self.number, **fields, **counts, **said}


def _is_time(fault: AnyOrderFault, order: Order) -> bool:
    """Whether an order is in the state in which a fault hits it."""
    match fault:
        case LateFill():
            return order.status == "CANCEL PENDING"
        case RejectOrder(when="before"):
            return order.status == "VALIDATION PENDING"
        case _:
            is_at_rest = order.is_in_book and order.takes_changes
            return is_at_rest or order.status == "VALIDATION PENDING"


class FaultBook:
    """Faults in the order of their booking; times are the exchange's, in epoch ms."""

    def __init__(self, trading_day: date) -> None:
        self._day = trading_day
        self._booked: dict[int, BookedFault] = {}
        self._count = 0

    def add(self, fault: Fault) -> BookedFault:
        """Book a fault and number it."""
        self._count += 1
        from_ms = 0 if fault.at is None else at_time(self._day, fault.at)
        booked = BookedFault(self._count, fault, from_ms)
        self._booked[self._count] = booked
        return booked

    def remove(self, number: int) -> None:
        """Forget a fault; raises NotFound."""
        if self._booked.pop(number, None) is None:
            raise NotFound(f"no fault {number}")

    def clear(self) -> None:
        """Forget all faults."""
        self._booked.clear()

    def rows(self) -> list[dict[str, Any]]:
        """Return all faults, spent ones included, with their counts."""
        return [booked.row() for booked in self._booked.values()]

    def for_request(self, method: str, path: str, now_ms: int) -> AnyRequestFault | None:
        """Return the fault that hits a request, and count it."""
        for booked in self._pending(now_ms):
            fault = booked.fault
            if not isinstance(fault, AnyRequestFault) or not fault.matches(method, path):
                continue
            if not booked.lets_pass(fault):
                return fault
        return None

    def for_update(self, now_ms: int) -> UpdateFault | None:
        """Return the fault that hits an order update, and count it."""
        for booked in self._pending(now_ms):
            fault = booked.fault
            if isinstance(fault, UpdateFault) and not booked.lets_pass(fault):
                return fault
        return None

    def for_upgrade(self, now_ms: int) -> Refuse | None:
        """Return the fault that hits a new websocket connection, and count it."""
        for booked in self._pending(now_ms):
            fault = booked.fault
            if isinstance(fault, Refuse) and not booked.lets_pass(fault):
                return fault
        return None

    def for_order(self, order: Order, now_ms: int) -> AnyOrderFault | None:
        """Return the fault that hits an order in its state, and count it; it is skipped once."""
        for booked in self._pending(now_ms):
            fault = booked.fault
            if not isinstance(fault, AnyOrderFault) or order.order_id in booked.passed:
                continue
            if not (fault.matches(order, order.terms.has_trigger) and _is_time(fault, order)):
                continue
            booked.passed.add(order.order_id)
            if not booked.lets_pass(fault):
                return fault
        return None

    def for_rows(self, path: str, now_ms: int) -> AnyRowFault | None:
        """Return the fault that hits the rows of a reply, and count it."""
        for booked in self._pending(now_ms):
            fault = booked.fault
            if not isinstance(fault, AnyRowFault) or not path.startswith(fault.path):
                continue
            if not booked.lets_pass(fault):
                return fault
        return None

    def for_placing(self, kind: type[P], now_ms: int) -> P | None:
        """Return the fault of a kind that hits a placing, and count it."""
        for booked in self._pending(now_ms):
            fault = booked.fault
            if isinstance(fault, kind) and not booked.lets_pass(fault):
                return fault
        return None

    def due_on_account(self, now_ms: int) -> Iterator[tuple[BookedFault, AccountFault]]:
        """Return what happens to the account now, once each."""
        for booked in list(self._pending(now_ms)):
            if isinstance(booked.fault, AccountFault):
                booked.hits += 1
                yield booked, booked.fault

    def due_on_sockets(self, now_ms: int) -> list[AnySocketFault]:
        """Return the faults that hit connections now, once each."""
        due = []
        for booked in self._pending(now_ms):
            if isinstance(booked.fault, AnySocketFault):
                booked.hits += 1
                due.append(booked.fault)
        return due

    def due_on_market(self, now_ms: int) -> list[MarketFault]:
        """Return the faults that hit the market now, once each."""
        due = []
        for booked in self._pending(now_ms):
            if isinstance(booked.fault, MarketFault):
                booked.hits += 1
                due.append(booked.fault)
        return due

    def _pending(self, now_ms: int) -> Iterator[BookedFault]:
        return (
            booked
            for booked in self._booked.values()
            if booked.from_ms <= now_ms and not booked.is_spent
        )
