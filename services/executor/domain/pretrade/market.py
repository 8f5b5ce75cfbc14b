"""Checks by the exchange's rules: hours, lot, tick, freeze, price range, stop, ban, settlement."""

from dataclasses import dataclass

from libs.market.calendar import CalendarError
from libs.market.closing_auction import closing_auction
from libs.market.physical_settlement import load_physical_settlement
from libs.market.price_limits import option_price_limits
from services.executor.domain.policy import Refusal
from services.executor.domain.pretrade.order import Circumstances, OrderToCheck


@dataclass(frozen=True, slots=True)
class MarketIsOpen:
    """The segment trades now. Options trade on while shares are in their closing auction."""

    def refusal(self, order: OrderToCheck, known: Circumstances) -> Refusal | None:
        """Return why the exchange would not take the order now, or None."""
        exchange, now = order.contract.exchange, known.in_india
        try:
            sessions = known.calendar.sessions(exchange, now.date())
        except CalendarError as error:
            if order.leg == "exit":  # the exchange decides: what is held must be sold
                return None
            return Refusal("no_calendar", {"day": str(now.date()), "why": str(error)})
        if not any(one.open_ms <= known.now_ms < one.close_ms for one in sessions):
            numbers = {"exchange": exchange, "time": f"{now:%H:%M:%S}"}
            return Refusal("market_closed", {**numbers})
        return self._in_auction(order, known)

    def _in_auction(self, order: OrderToCheck, known: Circumstances) -> Refusal | None:
        now, contract = known.in_india, order.contract
        auction = closing_auction(now.date())
        if auction is None or now.time() < auction.begins:
            return None
        if not auction.concerns(contract.exchange, contract.tradingsymbol):
            return None
        why = auction.refuses(order.order_type, now.time())
        if why is None:
            return None
        return Refusal("closing_auction", {"time": f"{now:%H:%M:%S}", "why": why})


@dataclass(frozen=True, slots=True)
class LotSize:
    """The quantity is one lot or several."""

    def refusal(self, order: OrderToCheck, known: Circumstances) -> Refusal | None:
        """Return the quantity that is not in whole lots, or None."""
        lot_size = order.contract.lot_size
        if order.quantity > 0 and order.quantity % lot_size == 0:
            return None
        return Refusal("odd_lot", {"quantity": float(order.quantity), "lot_size": float(lot_size)})


@dataclass(frozen=True, slots=True)
class TickSize:
    """Prices are multiples of the tick size, above 0."""

    def refusal(self, order: OrderToCheck, known: Circumstances) -> Refusal | None:
        """Return the price that is off the grid, or None."""
        tick_size = order.contract.tick_size
        for price in order.prices:
            if price <= 0 or price % tick_size:
                return Refusal("off_tick", {"price": float(price), "tick_size": float(tick_size)})
        return None


@dataclass(frozen=True, slots=True)
class FreezeQuantity:
    """The order is not larger than the exchange takes as one."""

    def refusal(self, order: OrderToCheck, known: Circumstances) -> Refusal | None:
        """Return the quantity above the freeze, or None."""
        freeze = known.freeze_quantity
        if freeze is None or order.quantity <= freeze:
            return None
        numbers = {"quantity": float(order.quantity), "freeze": float(freeze)}
        return Refusal("above_freeze", {**numbers})


@dataclass(frozen=True, slots=True)
class InsidePriceRange:
    """A purchase is not above and a sale not below the limit price protection.

    A stop-limit order is compared when it is triggered, so not here; passive prices are free.
    """

    def refusal(self, order: OrderToCheck, known: Circumstances) -> Refusal | None:
        """Return the price outside the range, or None."""
        reference = known.reference_price
        if reference is None or order.order_type != "LIMIT":
            return None
        limits = option_price_limits(known.in_india.date())
        low, high = limits.protection(known.is_index_option).around(reference)
        is_buy = order.transaction_type == "BUY"
        if order.price <= high if is_buy else order.price >= low:
            return None
        limit = {"highest": float(high)} if is_buy else {"lowest": float(low)}
        numbers = {"price": float(order.price), "reference": float(reference)}
        return Refusal("outside_price_range", {**numbers, **limit})


@dataclass(frozen=True, slots=True)
class StopGap:
    """The limit of a stop order is beyond its trigger, and not farther than the rules allow."""

    def refusal(self, order: OrderToCheck, known: Circumstances) -> Refusal | None:
        """Return the gap that is not allowed, or None."""
        if order.order_type != "SL":
            return None
        sign = 1 if order.transaction_type == "BUY" else -1
        gap = sign * (order.price - order.trigger_price)
        limits = option_price_limits(known.in_india.date())
        widest = limits.stop_gap.reach(order.trigger_price)
        if 0 <= gap <= widest:
            return None
        return Refusal("stop_gap", {"gap": float(gap), "widest": float(widest)})


@dataclass(frozen=True, slots=True)
class NotBanned:
    """The underlying is in no ban period, in which no position may grow."""

    def refusal(self, order: OrderToCheck, known: Circumstances) -> Refusal | None:
        """Return the ban, or None."""
        underlying = order.contract.underlying
        if order.leg == "exit" or underlying not in known.banned:
            return None
        return Refusal("ban_period", {"underlying": underlying})


@dataclass(frozen=True, slots=True)
class NoPhysicalSettlement:
    """Nothing is bought that is settled in shares within the next days."""

    def refusal(self, order: OrderToCheck, known: Circumstances) -> Refusal | None:
        """Return the last day on which it might have been bought, or None."""
        if order.leg == "exit":
            return None
        contract, day = order.contract, known.in_india.date()
        last = load_physical_settlement().last_day(
            contract.underlying, contract.expiry, known.calendar, known.settlement_days
        )
        if last is None or day <= last:
            return None
        numbers = {"expiry": str(contract.expiry), "last_day": str(last)}
        return Refusal("settled_in_shares", {**numbers})
