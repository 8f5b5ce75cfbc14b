"""One step of the ladder: which order, at which price."""

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Literal, Self

from libs.broker.port import Side
from libs.market.price_limits import PriceReach
from services.executor.domain.ladder.rules import LadderRules


@dataclass(frozen=True, slots=True)
class PriceRange:
    """The prices that an order may have now, rupees: price band and limit price protection."""

    lowest: Decimal
    highest: Decimal

    def protected(self, side: Side, reference: Decimal, protection: PriceReach) -> Self:
        """Return the range within limit price protection of a reference price, rupees.

        It holds on one side: a sale must not go below it, a purchase not above.
        """
        reach = protection.reach(reference)
        if side == "SELL":
            return replace(self, lowest=max(self.lowest, reference - reach))
        return replace(self, highest=min(self.highest, reference + reach))


@dataclass(frozen=True, slots=True)
class ExitView:
    """What is known of the contract now; prices in rupees, None where there is none.

    `touch` is the best price on the side that an exit meets: the bid for a sale, the ask for a
    purchase, inside its budget of age. `last_known` is the latest price of any age. `price_range`
    None: no limit is known. `may_use_market`: the exchange takes market orders of it.
    """

    touch: Decimal | None
    last_known: Decimal | None
    price_range: PriceRange | None
    tick_size: Decimal
    may_use_market: bool = True


@dataclass(frozen=True, slots=True)
class LadderStep:
    """An order to have at the exchange: rupees (0 for MARKET), and how long it stands (ms).

    `is_blind`: there was no quote, and the last known price stands in.
    """

    order_type: Literal["LIMIT", "MARKET"]
    price: Decimal
    wait_ms: int
    is_blind: bool = False


@dataclass(frozen=True, slots=True)
class Exhausted:
    """No order can be made; why, for the alert."""

    why: str


def step_of(
    step: int,
    side: Side,
    view: ExitView,
    rules: LadderRules,
    *,
    is_later_round: bool = False,
) -> LadderStep | Exhausted:
    """Return the order of a step, counted from 0.

    Behind the last limit comes the protected market, and behind that nothing.
    """
    if step > rules.steps:
        return Exhausted("no step of the ladder is left")
    limit = _limit(side, view, rules.wait_ms(step, is_later_round=is_later_round))
    if step < rules.steps and limit is not None:
        return limit
    if view.may_use_market:
        return LadderStep("MARKET", Decimal(0), rules.market_ms, is_blind=limit is None)
    return limit or Exhausted("there is no price, and no market order is taken")


def _limit(side: Side, view: ExitView, wait_ms: int) -> LadderStep | None:
    price = view.touch if view.touch is not None else view.last_known
    if price is None or price <= 0:
        return None
    asked = fitted(price, side, view.price_range, view.tick_size)
    return None if asked is None else LadderStep("LIMIT", asked, wait_ms, view.touch is None)


def fitted(
    price: Decimal, side: Side, allowed: PriceRange | None, tick_size: Decimal
) -> Decimal | None:
    """Return the price on the tick grid inside the range, towards filling; None if none is.

    A sale is rounded down and a purchase up, but never out of the range.
    """
    asked = _on_grid(price, tick_size, ROUND_FLOOR if side == "SELL" else ROUND_CEILING)
    if allowed is None:
        return max(asked, tick_size)
    lowest = max(_on_grid(allowed.lowest, tick_size, ROUND_CEILING), tick_size)
    highest = _on_grid(allowed.highest, tick_size, ROUND_FLOOR)
    return None if lowest > highest else min(max(asked, lowest), highest)


def _on_grid(price: Decimal, tick_size: Decimal, rounding: str) -> Decimal:
    return (price / tick_size).to_integral_value(rounding) * tick_size
