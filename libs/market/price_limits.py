"""How far from its reference an option's order may be priced, by date."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from libs.market.dated import DatedSeries
from libs.market.packaged import kept, load_table


@dataclass(frozen=True, slots=True)
class PriceReach:
    """How far a price may be from its reference: rupees up to a boundary, above it percent."""

    boundary: Decimal
    rupees: Decimal
    percent: Decimal

    def reach(self, reference: Decimal) -> Decimal:
        """Return the largest distance from a reference price, rupees; infinite: no limit."""
        is_below = reference <= self.boundary
        return self.rupees if is_below else reference * self.percent / 100

    def around(self, reference: Decimal) -> tuple[Decimal, Decimal]:
        """Return the lowest price of a sale and the highest of a purchase, rupees."""
        reach = self.reach(reference)
        return max(reference - reach, Decimal(0)), reference + reach


@dataclass(frozen=True, slots=True)
class OptionPriceLimits:
    """Limit price protection of options, and the gap of their stop-limit orders, on one day."""

    index_protection: PriceReach
    stock_protection: PriceReach
    stop_gap: PriceReach
    modifications: int

    def protection(self, is_index_option: bool) -> PriceReach:
        """Return how far beyond its reference a purchase may bid, and a sale below it ask."""
        return self.index_protection if is_index_option else self.stock_protection


@kept
def option_price_limits(on: date) -> OptionPriceLimits:
    """Return the limits in force on a day; before the first known date the nearest ones."""
    return OptionPriceLimits(
        index_protection=_reach("index_price_protection", on),
        stock_protection=_reach("stock_price_protection", on),
        stop_gap=_reach("option_stop_gap", on),
        modifications=int(_value("order_modifications", on)),
    )


def _reach(name: str, on: date) -> PriceReach:
    return PriceReach(**{key: Decimal(text) for key, text in _value(name, on).items()})


def _value(name: str, on: date) -> Any:
    entries = load_table("trading_limits.toml")[name]
    return DatedSeries.of(entries).at(on).value
