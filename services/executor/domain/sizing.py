"""Size of a trade in lots, and its stop and target."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

from services.executor.domain.policy import Numbers, Refusal, Sizing
from services.executor.domain.profiles import Profile


@dataclass(frozen=True, slots=True)
class Levels:
    """Stop loss and target on the premium, rupees, multiples of the tick size."""

    stop_loss: Decimal
    target: Decimal


@dataclass(frozen=True, slots=True)
class Size:
    """Lots, and all caps in lots; 0 lots come with a refusal."""

    lots: int
    caps: Numbers
    refusal: Refusal | None


def levels_of(premium: Decimal, tick_size: Decimal, profile: Profile) -> Levels:
    """Return stop = premium × (1 − stop), target = premium × (1 + target), on the tick grid."""
    return Levels(
        stop_loss=to_tick(premium * (1 - profile.stop), tick_size),
        target=to_tick(premium * (1 + profile.target), tick_size),
    )


def limit_of(premium: Decimal, tick_size: Decimal, buffer: Decimal) -> Decimal:
    """Return the limit price of an entry: premium plus buffer, rounded up to a tick."""
    return (premium * (1 + buffer) / tick_size).to_integral(ROUND_CEILING) * tick_size


def to_tick(price: Decimal, tick_size: Decimal) -> Decimal:
    """Round to the nearest multiple of the tick size, at least one tick."""
    steps = (price / tick_size).to_integral(ROUND_HALF_UP)
    return max(steps, Decimal(1)) * tick_size


def size_of(
    premium: Decimal,
    limit: Decimal,
    stop_loss: Decimal,
    lot_size: int,
    stop: Decimal,
    sizing: Sizing,
    lots_cap: int,
    risk_left: Decimal,
) -> Size:
    """Return the smallest of all caps, rounded down.

    By risk: capital × risk ÷ (premium × stop × lot size). By cost: capital × max position ÷
    (limit × lot size). By `risk_left`, rupees that may still be put at risk, and `lots_cap`. Cost
    and `risk_left` are computed by the limit price, the most that a unit may cost.
    """
    cost_of_lot, risk_at_limit = limit * lot_size, (limit - stop_loss) * lot_size
    risk_of_lot = premium * lot_size * stop
    if risk_of_lot <= 0:
        return Size(0, {}, Refusal("no_premium", {"premium": float(premium)}))
    caps: dict[str, int] = {
        "by_risk": int(sizing.capital * sizing.risk / risk_of_lot),
        "by_cost": int(sizing.capital * sizing.max_position / cost_of_lot),
        "by_capital_at_risk": max(0, int(risk_left / max(risk_at_limit, risk_of_lot))),
        "by_lots_a_trade": lots_cap,
    }
    numbers: Numbers = {name: float(cap) for name, cap in caps.items()}
    lots = min(caps.values())
    if lots > 0:
        return Size(lots, numbers, None)
    costs: Numbers = {"cost_of_lot": float(cost_of_lot), "risk_of_lot": float(risk_of_lot)}
    return Size(0, numbers, Refusal("zero_lots", numbers | costs))
