"""Trigger and limit of a stop-limit sale, as the exchange takes them."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from libs.market.price_limits import PriceReach
from services.executor.domain.resting_stop.rules import RestingStopRules


@dataclass(frozen=True, slots=True)
class StopLevels:
    """Prices of a stop-limit sale in rupees: it works from the trigger on, down to the limit."""

    trigger_price: Decimal
    price: Decimal


def levels_of(
    stop: Decimal,
    last_price: Decimal | None,
    tick_size: Decimal,
    allowed: PriceReach,
    rules: RestingStopRules,
) -> StopLevels | None:
    """Return the levels for a stop at a premium, both on the tick grid.

    None: the market is at the stop or below it, where the exchange refuses the trigger; such a
    position is to be left now.
    """
    trigger = max(_on_grid(stop, tick_size, ROUND_FLOOR), tick_size)
    if last_price is not None and trigger >= last_price:
        return None
    wanted = max(trigger * rules.gap, min(allowed.rupees, trigger - tick_size))
    gap = min(wanted, allowed.reach(trigger))
    limit = max(_on_grid(trigger - gap, tick_size, ROUND_CEILING), tick_size)
    return StopLevels(trigger, limit)


def _on_grid(price: Decimal, tick_size: Decimal, rounding: str) -> Decimal:
    return (price / tick_size).to_integral_value(rounding) * tick_size
