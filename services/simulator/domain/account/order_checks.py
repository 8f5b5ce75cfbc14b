"""What the broker's risk management and the exchange reject, in the words of Kite.

An order or a modification is checked when it reaches the book. A refused order becomes REJECTED
with the reason as its `status_message`; a refused modification leaves the order as it was. The
checks, in order: hours, lot, freeze, tick, circuit limits, trigger, gap between trigger and limit,
limit price protection of options, intraday hours, shares to deliver, funds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from libs.market.instruments import Instrument
from libs.market.rulebook import Rulebook, RulebookError
from services.simulator.domain.account.market_port import AccountMarket
from services.simulator.domain.account.order import Order
from services.simulator.domain.account.order_request import NOTHING, Terms
from services.simulator.domain.account.prices import exact, is_within, last_price
from services.simulator.domain.account.rules import TradingLimits
from services.simulator.domain.india_time import at_time

CLOSED = "Markets are closed right now. Use GTT for placing long standing orders instead."
BEYOND_CIRCUIT = (
    "Price exceeds circuit limits for the instrument. Place an order within the daily range."
)
BEYOND_PROTECTION = (
    "The order was cancelled by the exchange because the price is outside the current allowed "
    "limit price protection range."
)


@dataclass(frozen=True, slots=True)
class Judged:
    """An order with the terms to check, and the data to check them by at a time (epoch ms)."""

    order: Order
    terms: Terms
    instrument: Instrument
    market: AccountMarket
    rulebook: Rulebook
    limits: TradingLimits
    at_ms: int

    @property
    def last(self) -> Decimal:
        """Last price of the instrument in rupees."""
        return last_price(self.market, self.instrument)

    @property
    def reference(self) -> Decimal:
        """Average trade of the last 30 seconds, or the last price where nothing was traded."""
        token = self.instrument.instrument_token
        return exact(self.market.reference_price(token)) or self.last


def exchange_objection(judged: Judged) -> str | None:
    """Return why the exchange or the broker's rules reject an order, or None."""
    return next((reason for check in _CHECKS if (reason := check(judged))), None)


def freeze_quantity(instrument: Instrument, market: AccountMarket, rulebook: Rulebook) -> int:
    """Units of an option above which a single order is refused."""
    try:
        return rulebook.freeze_quantity(instrument.name, market.trading_day).value
    except RulebookError:
        return rulebook.stock_freeze_lots * instrument.lot_size


def is_protected(judged: Judged, price: Decimal) -> bool:
    """Whether an option's limit is no worse than the limit price protection allows.

    Only purchases above and sales below the range are refused. Without a reference all are fine.
    """
    if not judged.instrument.is_option or not judged.reference:
        return True
    is_index_option = judged.instrument.name in judged.rulebook.index_strike_steps
    reach = judged.limits.price_protection(is_index_option).reach(judged.reference)
    reference, is_buy = judged.reference, judged.order.is_buy
    return is_within(price, reference + reach if is_buy else reference - reach, is_buy)


def _hours(judged: Judged) -> str | None:
    return None if judged.market.is_open(judged.instrument, judged.at_ms) else CLOSED


def _lot(judged: Judged) -> str | None:
    lot_size = judged.instrument.lot_size
    if lot_size and judged.terms.quantity % lot_size:
        return f"Quantity should be a multiple of the lot size, {lot_size}."
    return None


def _freeze(judged: Judged) -> str | None:
    largest = judged.limits.equity_order_quantity
    if judged.instrument.is_option:
        largest = freeze_quantity(judged.instrument, judged.market, judged.rulebook)
    if judged.terms.quantity > largest:
        return f"Quantity exceeds the freeze quantity of {largest} for a single order."
    return None


def _tick(judged: Judged) -> str | None:
    tick = judged.instrument.tick_size
    named = (("price", judged.terms.price), ("trigger price", judged.terms.trigger_price))
    for name, price in named:
        if tick and price % tick:
            return (
                f"Tick size for this script is {tick}. Kindly enter {name} in the multiple "
                "of tick size for this script."
            )
    return None


def _circuit(judged: Judged) -> str | None:
    token = judged.instrument.instrument_token
    lower, upper = (exact(limit) for limit in judged.market.circuit_limits(token))
    prices = [price for price in (judged.terms.price, judged.terms.trigger_price) if price]
    if upper and not all(lower <= price <= upper for price in prices):
        return BEYOND_CIRCUIT
    return None


def _trigger(judged: Judged) -> str | None:
    terms, last = judged.terms, judged.last
    if not terms.has_trigger or judged.order.is_triggered or not last:
        return None
    if judged.order.is_buy and terms.trigger_price <= last:
        return "Trigger price for stoploss buy orders should be higher than the last traded price."
    if not judged.order.is_buy and terms.trigger_price >= last:
        return "Trigger price for stoploss sell orders should be lower than the last traded price."
    return None


def _limit_price_protection(judged: Judged) -> str | None:
    """Check a limit order; that of a stop is checked when its trigger is reached."""
    terms = judged.terms
    if terms.order_type != "LIMIT" and not judged.order.is_triggered:
        return None
    return None if is_protected(judged, terms.price) else BEYOND_CIRCUIT


def _stop_gap(judged: Judged) -> str | None:
    terms = judged.terms
    if terms.order_type != "SL" or judged.order.is_triggered:
        return None
    reach = judged.limits.stop_gap(judged.instrument).reach(terms.trigger_price)
    if abs(terms.price - terms.trigger_price) <= reach:
        return None
    return (
        f"Stop limit order price range check failed. The limit price may be {reach.normalize():f} "
        "from the trigger price."
    )


def _intraday(judged: Judged) -> str | None:
    """Reject new intraday orders from the broker's square-off on, which would stay open."""
    day = judged.market.trading_day
    closes = judged.rulebook.broker_square_off("MIS", day, judged.order.exchange)
    if judged.order.product != "MIS" or closes is None:
        return None
    if judged.at_ms < at_time(day, closes):
        return None
    return "Intraday orders are not allowed after the square-off time."


_CHECKS: tuple[Callable[[Judged], str | None], ...] = (
    _hours,
    _lot,
    _freeze,
    _tick,
    _circuit,
    _trigger,
    _stop_gap,
    _limit_price_protection,
    _intraday,
)


def funds_objection(required: Decimal, available: Decimal) -> tuple[str, str] | None:
    """Return Kite's message and the back office's when the funds do not suffice, else None."""
    if required <= max(available, NOTHING):
        return None
    return (
        f"Insufficient funds. Required margin is {required:.2f} but available margin is "
        f"{available:.2f}. Check the orderbook for open orders.",
        f"RMS:Margin Exceeds,Required:{required:.2f}, Available:{available:.2f}",
    )
