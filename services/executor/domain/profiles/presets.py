"""The profiles that come with the program, as a table.

Columns: strike (percent of the forward, in the money above 0), least delta, stop; what is sold at
which rise before the target; the target; risk, a part of the capital; holding time; the rise from
which a stop trails the highest price; whether the position may be kept over night.

A first target is sold as a booking: the part that the preset names, else half of what is left.
The trailing stop lies a fifth below the highest price, so that it begins at cost or above it.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from services.executor.domain.profiles.profile import BookingRule, Profile, TrailRule
from services.executor.domain.profiles.strike_choice import StrikeChoice

HOUR_MS = 3_600_000
TRAIL_FALL = Decimal("0.20")


class _Row(NamedTuple):
    moneyness: tuple[float, ...]
    min_delta: float
    stop: str
    bookings: tuple[tuple[str, str], ...]
    target: str
    risk: str
    hours: int
    trail_after: str | None
    overnight: bool

    def profile(self) -> Profile:
        trail = None
        if self.trail_after is not None:
            trail = TrailRule(gain=Decimal(self.trail_after), fall=TRAIL_FALL)
        return Profile(
            strike=StrikeChoice(by="moneyness", wanted=self.moneyness),
            min_delta=self.min_delta,
            stop=Decimal(self.stop),
            bookings=tuple(BookingRule(Decimal(at), Decimal(part)) for at, part in self.bookings),
            target=Decimal(self.target),
            risk=Decimal(self.risk),
            holding_ms=self.hours * HOUR_MS,
            trail=trail,
            overnight=self.overnight,
        )


# fmt: off
_ROWS = {
    "ultra_safe": _Row(
        (0.5,), 0.60, "0.20", (), "0.30", "0.015", 3, None, overnight=False),
    "conservative": _Row(
        (0.0,), 0.45, "0.30", (("0.45", "0.60"),), "0.70", "0.02", 4, "0.25", overnight=False),
    "balanced": _Row(
        (0.0, -0.75), 0.35, "0.35", (("0.50", "0.50"), ("0.60", "0.25")), "1.00", "0.03", 6,
        "0.30", overnight=False),
    "aggressive": _Row(
        (-1.5,), 0.25, "0.50", (("1.00", "0.50"),), "1.50", "0.04", 12, None, overnight=True),
}
# fmt: on
PRESETS: Mapping[str, Profile] = {name: row.profile() for name, row in _ROWS.items()}
"""By name."""
