"""Paper trading: orders fill at the opposite side of the quote.

An order fills at the first quote whose exchange time is at least its placing plus the latency:
a buy at the ask, a sale at the bid, at most the quoted quantity per quote, which orders share. A
quote with one side alone fills what meets that side, and nothing else. Without any side (the feed
has no depth), or where the sides contradict each other, the last price counts, with slippage
against us. A limit order fills only within its limit; a stop-limit order becomes one when the last
price reaches its trigger. A cancellation comes after the quotes that were there before it. Orders
end with their day, and `paper_exchange.py` says what is refused.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from libs.broker.errors import OrderNotSent, OrderRefused
from libs.broker.paper_exchange import PaperExchange
from libs.broker.paper_orders import (
    MODIFICATIONS,
    PaperOrder,
    PaperRules,
    blocked_by,
    day_of,
    exact,
    has_depth,
    offer,
    reaches,
    used_by,
    within_limit,
)
from libs.broker.port.account import ContractState, Margin, NetPosition, Trade, Unreadable
from libs.broker.port.orders import Fill, MaySend, OrderRequest, OrderUpdate, always
from libs.broker.port.venue import QuoteSource
from libs.market.instruments import Instrument
from libs.market.quotes import Quote

__all__ = ["PaperBroker", "PaperConnector", "PaperRules"]


class PaperBroker:
    """A venue without a broker: quotes fill its orders, which end with the process."""

    may_lose_replies = False
    is_real = False

    def __init__(self, rules: PaperRules, exchange: PaperExchange | None = None) -> None:
        self._rules = rules
        self._exchange = exchange
        self._quotes: QuoteSource | None = None
        self._orders: dict[str, PaperOrder] = {}
        self._past: tuple[OrderUpdate, ...] = ()
        self._held: Counter[tuple[str, str, str]] = Counter()
        self._updates: list[OrderUpdate] = []
        self._has_updates = asyncio.Event()

    def session(self) -> None:
        """Return None: there is nobody to log in at."""
        return

    def list_instrument(self, instrument: Instrument) -> None:
        """Note an instrument of the day: orders for it are held to its lot, tick and freeze."""
        if self._exchange is not None:
            self._exchange.list_instrument(instrument)

    async def place(self, request: OrderRequest, may_send: MaySend = always) -> str:
        """Accept an order; raise OrderRefused for a repeated tag or what the exchange refuses."""
        if not may_send():
            raise OrderNotSent("the order waited too long before it could be sent")
        broker_order_id = f"paper-{request.tag}"
        if broker_order_id in self._orders:
            raise OrderRefused(f"an order with tag {request.tag} was placed before")
        if request.quantity <= 0:
            raise OrderRefused(f"quantity must be positive, not {request.quantity}")
        self._check(request, request.placed_ms)
        self._check_funds(request, Decimal(0))
        self._orders[broker_order_id] = PaperOrder(request, broker_order_id)
        return broker_order_id

    async def modify(
        self,
        broker_order_id: str,
        quantity: int,
        price: Decimal,
        trigger_price: Decimal = Decimal(0),
    ) -> None:
        """Change quantity and prices of an open LIMIT or SL order; OrderRefused if there is none.

        A trigger that was reached stays as it was.
        """
        order = self._orders.get(broker_order_id)
        if order is None or not order.is_working or order.request.order_type == "MARKET":
            raise OrderRefused(f"{broker_order_id} is not an open limit order")
        if quantity <= order.filled:
            raise OrderRefused(f"{order.filled} units are filled already")
        if not self.modifications_left(broker_order_id):
            raise OrderRefused(f"{broker_order_id} was modified too often")
        before = order.request
        trigger = trigger_price if order.awaits_trigger else before.trigger_price
        request = replace(before, quantity=quantity, price=price, trigger_price=trigger)
        self._check(self._as_it_works(order, request), max(order.last_quote_ms, before.placed_ms))
        self._check_funds(request, blocked_by(order))
        order.request = request
        order.modifications += 1
        if quantity != before.quantity:
            self._report(order.update(max(order.last_quote_ms, before.placed_ms)))

    def modifications_left(self, broker_order_id: str) -> int:
        """Return how often an order may still be modified; 0 if it is not known."""
        order = self._orders.get(broker_order_id)
        if order is None:
            return 0
        exchange, at_ms = self._exchange, order.request.placed_ms
        most = exchange.modifications(at_ms) if exchange is not None else MODIFICATIONS
        return max(0, most - order.modifications)

    def unreadable(self) -> Sequence[Unreadable]:
        """Return nothing: there are no replies."""
        return ()

    async def cancel(self, broker_order_id: str) -> None:
        """Cancel what is left of an order after the quotes that came before."""
        if self._quotes is not None:
            self.on_quotes(self._quotes)
        order = self._orders.get(broker_order_id)
        if order is not None and order.is_working:
            self._end(order, "cancelled on request")

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
        """Return what a purchase costs, rupees; None without a capital, and for a sale."""
        is_purchase = request.transaction_type == "BUY"
        return self._cost(request) if is_purchase and self._rules.capital else None

    async def margins(self) -> Mapping[str, Margin]:
        """Return the funds; without a capital there are none: an empty mapping."""
        if self._rules.capital is None:
            return {}
        used = used_by(self._orders.values())
        return {"equity": Margin(available=self._rules.capital - used, used=used)}

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
        self._quotes = quotes
        taken: Counter[tuple[int, str]] = Counter()
        for order in [one for one in self._orders.values() if one.is_working]:
            quote = quotes.quote(order.request.instrument_token)
            if quote is None or not self._counts(order, quote):
                continue
            if day_of(quote.at_ms) > day_of(order.request.placed_ms):
                self._end(order, "lapsed at the end of the day")
                continue
            order.last_quote_ms = quote.at_ms
            if self._works(order, quote):
                place = (order.request.instrument_token, order.request.transaction_type)
                taken[place] += self._fill(order, quote, taken[place])

    def _works(self, order: PaperOrder, quote: Quote) -> bool:
        """Return whether an order may fill; note a trigger that is reached now."""
        if not order.awaits_trigger:
            return True
        if not reaches(order.request, quote.last_price):
            return False
        order.is_triggered = True
        self._report(order.update(quote.at_ms))
        return True

    def _end(self, order: PaperOrder, reason: str) -> None:
        order.is_cancelled = True
        at_ms = max(order.last_quote_ms, order.request.placed_ms)
        self._report(order.update(at_ms, reason))

    def _check(self, request: OrderRequest, at_ms: int) -> None:
        if self._exchange is None:
            return
        why = self._exchange.objection(request, at_ms, self._last_price(request))
        if why is not None:
            raise OrderRefused(why)

    def _as_it_works(self, order: PaperOrder, request: OrderRequest) -> OrderRequest:
        """Return a request as it is checked: a triggered stop is a limit order."""
        return replace(request, order_type="LIMIT") if order.is_triggered else request

    def _check_funds(self, request: OrderRequest, blocked: Decimal) -> None:
        """Refuse a purchase that costs more than is free; `blocked` is what it holds already."""
        capital = self._rules.capital
        if capital is None or request.transaction_type != "BUY":
            return
        cost, free = self._cost(request), capital - used_by(self._orders.values()) + blocked
        if cost > max(free, Decimal(0)):
            raise OrderRefused(
                f"Insufficient funds. Required margin is {cost:.2f} but available margin is "
                f"{free:.2f}."
            )

    def _cost(self, request: OrderRequest) -> Decimal:
        price = request.price or self._last_price(request) or Decimal(0)
        return price * request.quantity

    def _last_price(self, request: OrderRequest) -> Decimal | None:
        quote = self._quotes.quote(request.instrument_token) if self._quotes else None
        return exact(quote.last_price) if quote and quote.last_price > 0 else None

    def _report(self, update: OrderUpdate) -> None:
        self._updates.append(update)
        self._has_updates.set()

    def _counts(self, order: PaperOrder, quote: Quote) -> bool:
        earliest_ms = order.request.placed_ms + self._rules.latency_ms
        return quote.at_ms >= earliest_ms and quote.at_ms > order.last_quote_ms

    def _fill(self, order: PaperOrder, quote: Quote, taken: int) -> int:
        """Fill from what the quote offers beyond `taken` units; return the units filled."""
        price, offered = offer(order.request, quote, self._rules.slippage)
        available = offered - taken if has_depth(quote) else offered
        quantity = min(available, order.request.quantity - order.filled)
        if quantity <= 0 or not within_limit(order.request, price):
            return 0
        fill_id = f"{order.broker_order_id}-{len(order.fills) + 1}"
        order.fills.append(Fill(fill_id, quantity, price, quote.at_ms))
        self._report(order.update(quote.at_ms))
        return quantity


@dataclass(frozen=True, slots=True)
class PaperConnector:
    """Makes paper venues; it has no market data."""

    rules: PaperRules

    def venue(self) -> PaperBroker:
        """Return a venue without orders, which keeps the exchange's rules."""
        return PaperBroker(self.rules, PaperExchange())
