"""Paper trading: orders fill at the opposite side of the quote.

An order fills at the first quote whose exchange time is at least its placing plus the latency:
a buy at the ask, a sale at the bid, at most the quoted quantity per quote, which orders share;
without a two-sided quote at the last price with slippage against us. A limit order fills only
within its limit.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Annotated

from pydantic.dataclasses import dataclass as pydantic_dataclass

from libs.broker.errors import OrderNotSent, OrderRefused
from libs.broker.port.account import ContractState, Margin, NetPosition, Trade
from libs.broker.port.orders import Fill, MaySend, OrderRequest, OrderUpdate, always
from libs.broker.port.venue import QuoteSource
from libs.market.bounds import STRICT
from libs.market.quotes import Quote
from libs.market.units import Fraction, Milliseconds

PAISE = Decimal("0.05")


@pydantic_dataclass(frozen=True, slots=True, config=STRICT)
class PaperRules:
    """`latency_ms` until a quote counts; `slippage` as a fraction of the last price."""

    latency_ms: Annotated[int, Milliseconds(0, 60_000)] = 500
    slippage: Annotated[float, Fraction(0, "0.2")] = 0.001


@dataclass(slots=True)
class _PaperOrder:
    request: OrderRequest
    broker_order_id: str
    fills: list[Fill] = field(default_factory=list)
    last_quote_ms: int = -1
    is_cancelled: bool = False

    @property
    def filled(self) -> int:
        return sum(fill.quantity for fill in self.fills)

    @property
    def is_working(self) -> bool:
        return not self.is_cancelled and self.filled < self.request.quantity

    def update(self, at_ms: int, reason: str = "") -> OrderUpdate:
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
        )

    def is_of(self, exchange: str, tradingsymbol: str) -> bool:
        asked = self.request
        return (asked.exchange, asked.tradingsymbol) == (exchange, tradingsymbol)


class PaperBroker:
    """A venue without a broker: quotes fill its orders, which end with the process."""

    may_lose_replies = False
    is_real = False

    def __init__(self, rules: PaperRules) -> None:
        self._rules = rules
        self._orders: dict[str, _PaperOrder] = {}
        self._past: tuple[OrderUpdate, ...] = ()
        self._held: Counter[tuple[str, str, str]] = Counter()
        self._updates: list[OrderUpdate] = []
        self._has_updates = asyncio.Event()

    async def place(self, request: OrderRequest, may_send: MaySend = always) -> str:
        """Accept an order; raise OrderRefused for a repeated tag or a quantity below 1."""
        if not may_send():
            raise OrderNotSent("the order waited too long before it could be sent")
        broker_order_id = f"paper-{request.tag}"
        if broker_order_id in self._orders:
            raise OrderRefused(f"an order with tag {request.tag} was placed before")
        if request.quantity <= 0:
            raise OrderRefused(f"quantity must be positive, not {request.quantity}")
        self._orders[broker_order_id] = _PaperOrder(request, broker_order_id)
        return broker_order_id

    async def modify(
        self,
        broker_order_id: str,
        quantity: int,
        price: Decimal,
        trigger_price: Decimal = Decimal(0),
    ) -> None:
        """Change quantity and price of an open LIMIT order; OrderRefused if there is none."""
        order = self._orders.get(broker_order_id)
        if order is None or not order.is_working or order.request.order_type != "LIMIT":
            raise OrderRefused(f"{broker_order_id} is not an open limit order")
        if quantity <= order.filled:
            raise OrderRefused(f"{order.filled} units are filled already")
        order.request = replace(
            order.request, quantity=quantity, price=price, trigger_price=trigger_price
        )

    async def cancel(self, broker_order_id: str) -> None:
        """Cancel what is left of an order."""
        order = self._orders.get(broker_order_id)
        if order is not None and order.is_working:
            order.is_cancelled = True
            at_ms = max(order.last_quote_ms, order.request.placed_ms)
            self._report(order.update(at_ms, "cancelled on request"))

    async def orders(self) -> Sequence[OrderUpdate]:
        """Return the orders of before the start that filled, and all since then."""
        since = [order.update(order.last_quote_ms) for order in self._orders.values()]
        return [*self._past, *since]

    async def trades(self) -> Sequence[Trade]:
        """Return all fills, order by order."""
        return [
            Trade(
                broker_order_id=order.broker_order_id,
                tradingsymbol=order.tradingsymbol,
                transaction_type=order.transaction_type,
                fill=fill,
                exchange=order.exchange,
                product=order.product,
            )
            for order in await self.orders()
            for fill in order.fills
            if order.transaction_type is not None
        ]

    async def positions(self) -> Sequence[NetPosition]:
        """Return what was there at the start and the sums of the fills."""
        held = self._held.copy()
        for order in (one for one in self._orders.values() if one.fills):
            asked = order.request
            sign = 1 if asked.transaction_type == "BUY" else -1
            held[asked.exchange, asked.tradingsymbol, asked.product] += sign * order.filled
        return [NetPosition(*contract, quantity) for contract, quantity in held.items()]

    async def contract(self, exchange: str, tradingsymbol: str) -> ContractState:
        """Return what is held of a contract, and its open orders."""
        return ContractState(
            positions=tuple(
                one
                for one in await self.positions()
                if (one.exchange, one.tradingsymbol) == (exchange, tradingsymbol)
            ),
            working=tuple(
                order.update(order.last_quote_ms)
                for order in self._orders.values()
                if order.is_working and order.is_of(exchange, tradingsymbol)
            ),
        )

    async def required_margin(self, request: OrderRequest) -> Decimal | None:
        """Return None: there is no calculator."""
        return None

    async def margins(self) -> Mapping[str, Margin]:
        """Return an empty mapping: there are no funds."""
        return {}

    def begin_with(self, held: Sequence[NetPosition], past: Sequence[OrderUpdate]) -> None:
        """Begin with these positions, which include what these orders filled."""
        self._past = tuple(past)
        for one in held:
            self._held[one.exchange, one.tradingsymbol, one.product] += one.quantity

    def take_updates(self) -> Sequence[OrderUpdate]:
        """Return the updates since the last call."""
        updates, self._updates = self._updates, []
        self._has_updates.clear()
        return updates

    async def updated(self) -> None:
        """Return when there are updates to take."""
        while not self._updates:
            await self._has_updates.wait()

    async def run(self) -> None:
        """Wait until cancelled: fills come with quotes."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Do nothing: there are no connections."""

    def budget(self) -> dict[int, int]:
        """Return an empty mapping: requests are not limited."""
        return {}

    def describe(self) -> dict[str, int]:
        """Return the number of orders, and of those that may still fill."""
        working = sum(order.is_working for order in self._orders.values())
        return {"orders": len(self._orders), "working": working}

    def on_quotes(self, quotes: QuoteSource) -> None:
        """Fill orders from the latest quotes, in the order of placing."""
        taken: Counter[tuple[int, str]] = Counter()
        for order in self._orders.values():
            if not order.is_working:
                continue
            quote = quotes.quote(order.request.instrument_token)
            if quote is not None and self._counts(order, quote):
                order.last_quote_ms = quote.at_ms
                place = (order.request.instrument_token, order.request.transaction_type)
                taken[place] += self._fill(order, quote, taken[place])

    def _report(self, update: OrderUpdate) -> None:
        self._updates.append(update)
        self._has_updates.set()

    def _counts(self, order: _PaperOrder, quote: Quote) -> bool:
        earliest_ms = order.request.placed_ms + self._rules.latency_ms
        return quote.at_ms >= earliest_ms and quote.at_ms > order.last_quote_ms

    def _fill(self, order: _PaperOrder, quote: Quote, taken: int) -> int:
        """Fill from what the quote offers beyond `taken` units; return the units filled."""
        price, offered = self._offer(order.request, quote)
        available = offered if quote.mid is None else offered - taken
        quantity = min(available, order.request.quantity - order.filled)
        if quantity <= 0 or not _within_limit(order.request, price):
            return 0
        fill_id = f"{order.broker_order_id}-{len(order.fills) + 1}"
        order.fills.append(Fill(fill_id, quantity, price, quote.at_ms))
        self._report(order.update(quote.at_ms))
        return quantity

    def _offer(self, request: OrderRequest, quote: Quote) -> tuple[Decimal, int]:
        """Return the price and the units that the market offers to this order."""
        is_buy = request.transaction_type == "BUY"
        if quote.mid is not None:
            price = quote.ask_price if is_buy else quote.bid_price
            return _decimal(price), quote.ask_quantity if is_buy else quote.bid_quantity
        if not quote.last_price > 0:
            return Decimal(0), 0
        away = 1 + self._rules.slippage if is_buy else 1 - self._rules.slippage
        rounding = ROUND_CEILING if is_buy else ROUND_FLOOR
        steps = (_decimal(quote.last_price) * Decimal(str(away)) / PAISE).to_integral(rounding)
        return max(PAISE, steps * PAISE), request.quantity


def _within_limit(request: OrderRequest, price: Decimal) -> bool:
    if request.order_type == "MARKET":
        return True
    if request.transaction_type == "BUY":
        return price <= request.price
    return price >= request.price


def _decimal(price: float) -> Decimal:
    """Return a market price as a Decimal, exact to the paisa."""
    return Decimal(str(round(price, 2)))


@dataclass(frozen=True, slots=True)
class PaperConnector:
    """Makes paper venues; it has no market data."""

    rules: PaperRules

    def venue(self) -> PaperBroker:
        """Return a venue without orders."""
        return PaperBroker(self.rules)
