"""Checks by account and system: product, funds, limits, age of what the order stands on."""

from dataclasses import dataclass

from services.executor.domain.policy import Refusal
from services.executor.domain.pretrade.order import Circumstances, OrderToCheck


@dataclass(frozen=True, slots=True)
class ProductFits:
    """Nothing is opened that the broker squares off by then; over night only NRML is held."""

    def refusal(self, order: OrderToCheck, known: Circumstances) -> Refusal | None:
        """Return why the product does not fit an entry, or None."""
        now, product = known.in_india, order.product
        ends = known.rulebook.broker_square_off(product, now.date(), order.contract.exchange)
        if order.leg == "exit" or ends is None:
            return None
        numbers = {"product": product, "square_off": f"{ends:%H:%M}"}
        if known.stays_over_night:
            return Refusal("product_over_night", {**numbers})
        if now.time() < ends:
            return None
        return Refusal("after_square_off", {**numbers, "time": f"{now:%H:%M:%S}"})


@dataclass(frozen=True, slots=True)
class MarginSuffices:
    """The account has what the order needs, by the broker's own calculator."""

    def refusal(self, order: OrderToCheck, known: Circumstances) -> Refusal | None:
        """Return the margin that is missing, or None."""
        required, available = known.required_margin, known.available
        if order.leg == "exit" or required is None or available is None or required <= available:
            return None
        numbers = {"required": float(required), "available": float(available)}
        return Refusal("margin_short", {**numbers})


@dataclass(frozen=True, slots=True)
class WithinLimits:
    """No position, loss or exposure limit is reached, and trading is not halted."""

    def refusal(self, order: OrderToCheck, known: Circumstances) -> Refusal | None:
        """Return the limit, or None."""
        breach = known.breach
        if order.leg == "exit" or breach is None:
            return None
        return Refusal(breach.limit, {"value": breach.value, "maximum": breach.maximum})


CLOCK_OFF_MS = 2_000
"""A machine whose clock is further off opens nothing."""


@dataclass(frozen=True, slots=True)
class ClockIsRight:
    """This machine's clock is near the exchange's."""

    def refusal(self, order: OrderToCheck, known: Circumstances) -> Refusal | None:
        """Return how far it is off, or None."""
        if order.leg == "exit" or abs(known.clock_off_ms) <= CLOCK_OFF_MS:
            return None
        off = {"off_seconds": known.clock_off_ms / 1000, "maximum": CLOCK_OFF_MS / 1000}
        return Refusal("clock_off", {**off})


@dataclass(frozen=True, slots=True)
class FeedIsAlive:
    """Ticks come: the exchange has not halted, nor the line to it."""

    def refusal(self, order: OrderToCheck, known: Circumstances) -> Refusal | None:
        """Return for how long none has come, or None."""
        if order.leg == "exit" or not known.silent_since_ms:
            return None
        seconds = max(0, known.now_ms - known.silent_since_ms) / 1000
        return Refusal("feed_silent", {"silent_seconds": seconds})


@dataclass(frozen=True, slots=True)
class DataIsFresh:
    """Tick, candle, signal and mark that the order stands on are within their budgets."""

    def refusal(self, order: OrderToCheck, known: Circumstances) -> Refusal | None:
        """Return the hop that is too old, or None."""
        old = known.too_old
        if order.leg == "exit" or old is None:
            return None
        seconds = {"age_seconds": old.age_ms / 1000, "budget_seconds": old.budget_ms / 1000}
        return Refusal("old_data", {"hop": old.hop, **seconds})
