"""How far the price of an option order may lie from the exchange's reference (LPP), by date."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache

from libs.market.dated import DatedSeries, Span
from libs.market.packaged import load_table

_STOP_PERCENT, _STOP_BOUNDARY, _STOP_RUPEES = Decimal(20), Decimal(50), Decimal(10)


@dataclass(frozen=True, slots=True)
class PriceRange:
    """Up to `boundary` rupees of the reference `rupees` each way, above it `percent` of it."""

    boundary: Decimal
    rupees: Decimal
    percent: Decimal

    def around(self, reference: Decimal) -> tuple[Decimal, Decimal]:
        """Return the lowest price of a sale and the highest of a purchase, rupees."""
        reach = self.rupees
        if reference > self.boundary:
            reach = reference * self.percent / 100
        return max(reference - reach, Decimal(0)), reference + reach


@cache
def price_range(on: date) -> PriceRange | None:
    """Return the range of NSE options on a day, None before there was one."""
    entries = load_table("trading_limits.toml")["limit_price_protection"]
    spans = [
        Span(
            entry["from"], PriceRange(**{name: Decimal(of) for name, of in entry["value"].items()})
        )
        for entry in entries
    ]
    known = DatedSeries(spans).at(on)
    return known.value if known.is_exact else None  # not exact: before the first entry


def widest_stop_gap(trigger: Decimal) -> Decimal:
    """Return how far, in rupees, an option's stop-limit may lie from its trigger at most."""
    if trigger <= _STOP_BOUNDARY:
        return _STOP_RUPEES
    return trigger * _STOP_PERCENT / 100
