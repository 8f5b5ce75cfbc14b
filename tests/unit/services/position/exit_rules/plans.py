"""Exit plans as the profiles of the specification give them, for a premium of 100."""

from decimal import Decimal

from libs.events.exit_plan import Booking, ExitPlan, Trail

HOUR_MS = 3600 * 1000
BALANCED = ExitPlan(
    profile="balanced",
    bookings=(Booking(price=Decimal(150), part=Decimal("0.5")),),
    trail=Trail(gain=Decimal("0.30"), fall=Decimal("0.10")),
    cost_after=Decimal("0.20"),
    holding_ms=6 * HOUR_MS,
)
STEPS = ExitPlan(
    profile="steps",
    bookings=tuple(
        Booking(price=Decimal(price), part=Decimal(part))
        for price, part in ((130, "0.34"), (150, "0.34"), (170, "0.34"))
    ),
)
AGGRESSIVE = ExitPlan(
    profile="aggressive",
    bookings=(Booking(price=Decimal(200), part=Decimal("0.5")),),
    holding_ms=12 * HOUR_MS,
    overnight=True,
)
