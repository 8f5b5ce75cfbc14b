"""Prices of a contract: what a closing order meets, and where an order rests without filling."""

from dataclasses import dataclass
from decimal import Decimal

from libs.broker.port import Side
from services.executor.domain.ladder import ExitView, PriceRange
from services.local.flatten.terms import Terms

BEYOND = Decimal("0.05")
"""How far beyond the touch the last step of the ladder goes, as a share of it."""

FAR = Decimal("0.2")
"""How far from the market an order rests at first, as a share of the price."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Best bid, best ask and last price in rupees; None where there is none."""

    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None

    def view(self, side: Side, terms: Terms, *, is_last_step: bool) -> ExitView:
        """Return what the ladder knows. Its last step asks for a price beyond the touch.

        That is what the broker makes of a market order with protection; as a limit it is a change
        of the order that works. Without any price the broker's own market order is what is left.
        """
        touch = self.bid if side == "SELL" else self.ask
        known = self.last if touch is None else touch
        if is_last_step and known is not None:
            touch = known * (1 - BEYOND if side == "SELL" else 1 + BEYOND)
        allowed = None if self.last is None else _range(self.last, terms)
        return ExitView(touch, self.last, allowed, terms.tick_size, known is None)

    def resting(self, side: Side, price: Decimal, tick: Decimal, *, is_near: bool) -> Decimal:
        """Return a price that does not fill at once: far from the market, or its far side."""
        if side == "SELL":
            high = max(one for one in (self.ask, self.last, price + tick) if one is not None)
            return high if is_near else _on_grid(high * (1 + FAR), tick)
        low = min(one for one in (self.bid, self.last, price - tick) if one is not None)
        return max(low if is_near else _on_grid(low * (1 - FAR), tick), tick)


def price(shown: float) -> Decimal | None:
    """Return a price of the feed, None for none."""
    return Decimal(str(round(shown, 2))) if shown > 0 else None


def _range(last: Decimal, terms: Terms) -> PriceRange | None:
    low, high = terms.reach.around(last)
    return PriceRange(low, high) if high.is_finite() else None


def _on_grid(price: Decimal, tick: Decimal) -> Decimal:
    return (price / tick).to_integral_value() * tick
