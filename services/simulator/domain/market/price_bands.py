"""How far from its reference a price may be on a day."""

import math
from dataclasses import dataclass
from datetime import date
from typing import Any

from libs.market.dated import DatedSeries, Span
from libs.market.instruments import Instrument
from libs.market.packaged import kept, load_table

NO_LIMITS = (0.0, 0.0)

_PAISA_DIGITS = 2
_SLACK = 1e-6


@dataclass(frozen=True, slots=True)
class PriceBand:
    """Distance from a reference: a share of it, and at least so many rupees."""

    share: float
    least_rupees: float = 0.0

    def limits(self, reference: float, tick_size: float) -> tuple[float, float]:
        """Lowest and highest price on ticks within the band, at least one tick."""
        reach = max(self.share * reference, self.least_rupees)
        lower = math.ceil((reference - reach) / tick_size - _SLACK)
        upper = math.floor((reference + reach) / tick_size + _SLACK)
        return (
            round(max(lower, 1) * tick_size, _PAISA_DIGITS),
            round(max(upper, 1) * tick_size, _PAISA_DIGITS),
        )


@dataclass(frozen=True, slots=True)
class PriceBands:
    """Bands of stocks around the previous close and of options around the latest premium."""

    stocks: PriceBand
    options: PriceBand

    def limits(self, instrument: Instrument, reference: float) -> tuple[float, float]:
        """Lowest and highest price around a reference; zeros where there is no limit."""
        if instrument.is_index or not reference:
            return NO_LIMITS
        band = self.options if instrument.is_option else self.stocks
        return band.limits(reference, float(instrument.tick_size))


@kept
def price_bands(on: date) -> PriceBands:
    """Bands in force on a day."""
    table = load_table("price_bands.toml")
    share = _series(table["stocks"]).at(on).value
    return PriceBands(PriceBand(share), PriceBand(**_series(table["options"]).at(on).value))


def _series(entries: list[dict[str, Any]]) -> DatedSeries[Any]:
    return DatedSeries(
        Span(entry["from"], entry["value"], is_confirmed=entry.get("confirmed", True))
        for entry in entries
    )
