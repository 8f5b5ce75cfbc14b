"""A paper order, the rules of paper trading, and what a quote offers to an order."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass as pydantic_dataclass

from libs.broker.port.orders import Fill, OrderRequest, OrderUpdate
from libs.market.bounds import STRICT
from libs.market.calendar import IST_OFFSET_MS
from libs.market.quotes import Quote
from libs.market.units import Fraction, Milliseconds, Rupees

PAISE = Decimal("0.05")
MODIFICATIONS = 25
"""Where no exchange is asked."""
_DAY_MS = 24 * 3_600_000


def _is_none(capital: Decimal | None) -> bool:
    """Whether the setting is left out of the settings' text, which names databases."""
    return capital is None


@pydantic_dataclass(frozen=True, slots=True, config=STRICT)
class PaperRules:
    """`latency_ms` until a quote counts; `slippage` as a fraction of the last price.

    With a `capital` (rupees) a purchase that it does not pay for is refused.
    """

    latency_ms: Annotated[int, Milliseconds(0, 60_000)] = 500
    slippage: Annotated[float, Fraction(0, "0.2")] = 0.001
    capital: Annotated[
        Annotated[Decimal, Rupees(1000, 10**10)] | None, Field(exclude_if=_is_none)
    ] = None


@dataclass(slots=True)
class PaperOrder:
    """An order of the paper venue, with its fills; `last_quote_ms`: its latest quote, epoch ms."""

    request: OrderRequest
    broker_order_id: str
    fills: list[Fill] = field(default_factory=list)
    last_quote_ms: int = -1
    is_cancelled: bool = False
    is_triggered: bool = False
    modifications: int = 0

    @property
    def awaits_trigger(self) -> bool:
        """Whether its trigger was not reached yet."""
        return self.request.order_type == "SL" and not self.is_triggered and self.is_working

    @property
    def paid(self) -> Decimal:
        """What its fills cost or brought, rupees."""
        return sum((fill.price * fill.quantity for fill in self.fills), Decimal(0))

    @property
    def filled(self) -> int:
        """Units filled so far."""
        return sum(fill.quantity for fill in self.fills)

    @property
    def is_working(self) -> bool:
        """Whether it may still fill."""
        return not self.is_cancelled and self.filled < self.request.quantity

    def update(self, at_ms: int, reason: str = "") -> OrderUpdate:
        """Return the order as the venue shows it."""
        status = "CANCELLED" if self.is_cancelled else "OPEN" if self.is_working else "COMPLETE"
        return OrderUpdate(
            broker_order_id=self.broker_order_id,
            tag=self.request.tag,
            status=status,  # type: ignore[arg-type]  # one of three literals
            at_ms=at_ms,
            fills=tuple(self.fills),
            reason=reason,
            exchange=self.request.exchange,
            tradingsymbol=self.request.tradingsymbol,
            transaction_type=self.request.transaction_type,
            product=self.request.product,
            quantity=self.request.quantity,
            awaits_trigger=self.awaits_trigger,
        )

    def is_of(self, exchange: str, tradingsymbol: str) -> bool:
        """Whether it is of this contract."""
        asked = self.request
        return (asked.exchange, asked.tradingsymbol) == (exchange, tradingsymbol)


def offer(request: OrderRequest, quote: Quote, slippage: float) -> tuple[Decimal, int]:
    """Return the price and the units that the market offers to this order."""
    is_buy = request.transaction_type == "BUY"
    if has_depth(quote):
        price = quote.ask_price if is_buy else quote.bid_price
        offered = quote.ask_quantity if is_buy else quote.bid_quantity
        return (exact(price), offered) if price > 0 else (Decimal(0), 0)
    if not quote.last_price > 0:
        return Decimal(0), 0
    away = 1 + slippage if is_buy else 1 - slippage
    rounding = ROUND_CEILING if is_buy else ROUND_FLOOR
    steps = (exact(quote.last_price) * Decimal(str(away)) / PAISE).to_integral(rounding)
    return max(PAISE, steps * PAISE), request.quantity


def has_depth(quote: Quote) -> bool:
    """Return whether at least one side is there, and the sides do not contradict each other."""
    has_bid, has_ask = quote.bid_price > 0, quote.ask_price > 0
    return (has_bid != has_ask) or (has_bid and quote.bid_price <= quote.ask_price)


def reaches(request: OrderRequest, last_price: float) -> bool:
    """Return whether the last price is at a stop's trigger or beyond it."""
    if not last_price > 0:
        return False
    price = exact(last_price)
    if request.transaction_type == "BUY":
        return price >= request.trigger_price
    return price <= request.trigger_price


def blocked_by(order: PaperOrder) -> Decimal:
    """Return what a purchase that works may cost in all, with what it has filled; else 0."""
    if order.request.transaction_type != "BUY" or not order.is_working:
        return Decimal(0)
    left = order.request.quantity - order.filled
    return order.paid + order.request.price * left


def used_by(orders: Iterable[PaperOrder]) -> Decimal:
    """Return what was paid less what sales brought, and what open purchases may still cost."""
    used = Decimal(0)
    for order in orders:
        is_sale = order.request.transaction_type == "SELL"
        used += -order.paid if is_sale else blocked_by(order) or order.paid
    return used


def day_of(at_ms: int) -> int:
    """Return the number of the day in India."""
    return (at_ms + IST_OFFSET_MS) // _DAY_MS


def within_limit(request: OrderRequest, price: Decimal) -> bool:
    """Return whether a price is no worse than the order's limit."""
    if request.order_type == "MARKET":
        return True
    if request.transaction_type == "BUY":
        return price <= request.price
    return price >= request.price


def exact(price: float) -> Decimal:
    """Return a market price as a Decimal, exact to the paisa."""
    return Decimal(str(round(price, 2)))
