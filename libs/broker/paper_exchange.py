"""What the exchange and the broker refuse of a paper order, in words of their kind.

The checks, in order: hours, lot, freeze quantity, tick, limit price protection, and for stop-limit
orders side and gap of the trigger. What is not known refuses nothing: a lot and a tick are known of
listed instruments, a price range of contracts with a quote.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from libs.broker.port.orders import OrderRequest
from libs.market.calendar import Calendar, CalendarError, day_in_india, load_calendar
from libs.market.instruments import Instrument
from libs.market.price_limits import option_price_limits
from libs.market.rulebook import Rulebook, RulebookError, load_rulebook


@dataclass(frozen=True, slots=True)
class Asked:
    """An order, or what a modification makes of it, and what is known of its contract.

    `at_ms`: when it is asked (epoch ms). `last_price` in rupees, None without a quote.
    """

    request: OrderRequest
    at_ms: int
    instrument: Instrument | None
    last_price: Decimal | None

    @property
    def day(self) -> date:
        """The day in India."""
        return day_in_india(self.at_ms)

    @property
    def is_buy(self) -> bool:
        """Whether it is a purchase."""
        return self.request.transaction_type == "BUY"


@dataclass(slots=True)
class PaperExchange:
    """The rules by date, and the instruments of the day that were listed."""

    calendar: Calendar = field(default_factory=load_calendar)
    rulebook: Rulebook = field(default_factory=load_rulebook)
    _listed: dict[tuple[str, str], Instrument] = field(default_factory=dict)

    def list_instrument(self, instrument: Instrument) -> None:
        """Note an instrument of the day."""
        self._listed[instrument.exchange, instrument.tradingsymbol] = instrument

    def objection(
        self, request: OrderRequest, at_ms: int, last_price: Decimal | None
    ) -> str | None:
        """Return why an order, or a change of one, is refused; None if it is taken."""
        instrument = self._listed.get((request.exchange, request.tradingsymbol))
        asked = Asked(request, at_ms, instrument, last_price)
        return next((why for check in _CHECKS if (why := check(self, asked))), None)

    def modifications(self, at_ms: int) -> int:
        """Return how often an order may be modified."""
        day = day_in_india(at_ms)
        return option_price_limits(day).modifications


def _hours(exchange: PaperExchange, asked: Asked) -> str | None:
    try:
        sessions = exchange.calendar.sessions(asked.request.exchange, asked.day)
    except CalendarError:
        return None
    if any(one.open_ms <= asked.at_ms < one.close_ms for one in sessions):
        return None
    return "Markets are closed right now."


def _lot(_: PaperExchange, asked: Asked) -> str | None:
    lot_size = asked.instrument.lot_size if asked.instrument else 0
    if lot_size and asked.request.quantity % lot_size:
        return f"Quantity should be a multiple of the lot size, {lot_size}."
    return None


def _freeze(exchange: PaperExchange, asked: Asked) -> str | None:
    if asked.instrument is None or not asked.instrument.is_option:
        return None
    try:
        largest = exchange.rulebook.freeze_quantity(asked.instrument.name, asked.day).value
    except RulebookError:
        largest = exchange.rulebook.stock_freeze_lots * asked.instrument.lot_size
    if asked.request.quantity <= largest:
        return None
    return f"Quantity exceeds the freeze quantity of {largest} for a single order."


def _tick(_: PaperExchange, asked: Asked) -> str | None:
    tick = asked.instrument.tick_size if asked.instrument else Decimal(0)
    prices = (asked.request.price, asked.request.trigger_price)
    if tick and any(price % tick for price in prices):
        return f"Tick size is {tick}: prices must be a multiple of it."
    return None


def _range(exchange: PaperExchange, asked: Asked) -> str | None:
    """Refuse purchases above and sales below the range; a stop is not checked before its trigger.

    The last price stands in for the exchange's reference, the average of the last 30 seconds.
    """
    is_checked = asked.request.order_type == "LIMIT" and asked.instrument is not None
    if not is_checked or not asked.last_price or not _is_option(asked):
        return None
    limits = option_price_limits(asked.day)
    is_index = asked.instrument is not None and asked.instrument.name in exchange.rulebook.freezes
    reach = limits.protection(is_index).reach(asked.last_price)
    price = asked.request.price
    is_fine = (
        price <= asked.last_price + reach if asked.is_buy else (price >= asked.last_price - reach)
    )
    return None if is_fine else "Price is outside the limit price protection range."


def _trigger(_: PaperExchange, asked: Asked) -> str | None:
    request, last = asked.request, asked.last_price
    if request.order_type != "SL":
        return None
    if not request.trigger_price > 0:
        return "Trigger price is missing."
    is_beyond = (
        request.price >= request.trigger_price
        if asked.is_buy
        else request.price <= request.trigger_price
    )
    if not is_beyond:
        side = "at or above" if asked.is_buy else "at or below"
        return f"The limit of this stop order should be {side} its trigger price."
    if last and (request.trigger_price <= last if asked.is_buy else request.trigger_price >= last):
        side = "higher" if asked.is_buy else "lower"
        return f"Trigger price should be {side} than the last traded price."
    return None


def _gap(_: PaperExchange, asked: Asked) -> str | None:
    request = asked.request
    if request.order_type != "SL" or not _is_option(asked):
        return None
    largest = option_price_limits(asked.day).stop_gap.reach(request.trigger_price)
    if abs(request.price - request.trigger_price) <= largest:
        return None
    return f"The limit may be at most {largest:f} rupees from the trigger price."


def _is_option(asked: Asked) -> bool:
    return asked.request.exchange in {"NFO", "BFO"} and (
        asked.instrument is None or asked.instrument.is_option
    )


_CHECKS: tuple[Callable[[PaperExchange, Asked], str | None], ...] = (
    _hours,
    _lot,
    _freeze,
    _tick,
    _range,
    _trigger,
    _gap,
)
