"""Underlyings in which the broker has rejected an entry for margin, and how long nothing is bought.

Only a rejection in the broker's own words counts: the next try would be refused by the same words.
It is restored from the order's event.
"""

import re
from dataclasses import dataclass, field
from uuid import UUID

from libs.events.control import RiskLimitReached
from libs.events.event import utc_from_ms
from libs.events.orders import OrderPlanned, OrderRejected
from libs.market.calendar import IST
from services.executor.domain.policy import Refusal

_WORDS = re.compile(r"\bmargins?\b|insufficient|\bfunds?\b|shortfall", re.IGNORECASE)
_AMOUNT = r"\D*?([\d,]+(?:\.\d+)?)"
_FIGURES = re.compile(rf"required(?: margin)?{_AMOUNT}.*?available(?: margin)?{_AMOUNT}", re.I)


def is_for_margin(reason: str) -> bool:
    """Whether a broker's words say that the account lacks margin."""
    return _WORDS.search(reason) is not None


@dataclass(slots=True)
class MarginPauses:
    """Until when nothing is bought, by underlying (epoch ms)."""

    pause_ms: int
    _until_ms: dict[str, int] = field(default_factory=dict)
    _noted: set[UUID] = field(default_factory=set)

    def note(self, event: OrderRejected) -> bool:
        """Note an entry that was rejected; return whether that was for margin, and news."""
        is_news = event.leg == "entry" and event.order_id not in self._noted
        if not is_news or not is_for_margin(event.reason):
            return False
        self._noted.add(event.order_id)
        until_ms = event.occurred_ms + self.pause_ms
        self._until_ms[event.underlying] = max(until_ms, self._until_ms.get(event.underlying, 0))
        return True

    def is_on(self, underlying: str, now_ms: int) -> bool:
        """Whether nothing is bought in an underlying now."""
        return now_ms < self._until_ms.get(underlying, 0)

    def until_ms(self, underlying: str) -> int:
        """Return until when nothing is bought in an underlying (epoch ms), 0 for no pause."""
        return self._until_ms.get(underlying, 0)

    def count(self, now_ms: int) -> int:
        """Return in how many underlyings nothing is bought now."""
        return sum(now_ms < until_ms for until_ms in self._until_ms.values())

    def refusal(self, underlying: str, now_ms: int) -> Refusal | None:
        """Return why nothing is bought in an underlying now, or None."""
        if not self.is_on(underlying, now_ms):
            return None
        until = utc_from_ms(self._until_ms[underlying]).astimezone(IST)
        return Refusal("margin_pause", {"underlying": underlying, "until": f"{until:%H:%M:%S}"})

    def said(self, event: OrderRejected, plan: OrderPlanned) -> RiskLimitReached:
        """Return the event of a rejection: what was needed and what was there, in rupees."""
        cost = float(plan.price * plan.quantity)
        found = _FIGURES.search(event.reason)
        required, available = (
            (float(text.replace(",", "")) for text in found.groups()) if found else (cost, 0.0)
        )
        until = utc_from_ms(self._until_ms[event.underlying]).astimezone(IST)
        return RiskLimitReached(
            **RiskLimitReached.after(event, "margin_rejected", event.order_id),
            reason=f"{event.contract.tradingsymbol} was rejected for margin: {event.reason}; "
            f"nothing is bought in {event.underlying} until {until:%H:%M}",
            limit="margin_rejected",
            value=required,
            maximum=available,
        )
