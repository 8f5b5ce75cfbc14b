"""Paper trading: fills at the other side of the quote, as the market showed it.

An order fills at the first quote whose exchange time is at least its placing plus the latency:
a buy at the ask, a sale at the bid, at most the quoted quantity per quote, which orders share;
without a two-sided quote at the last price with slippage against us. A limit order fills only
within its limit.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from libs.broker.errors import OrderRefused
from libs.broker.port import Fill, OrderRequest, OrderUpdate
from libs.market.quotes import Quote, QuoteBook

PAISE = Decimal("0.05")


@dataclass(frozen=True, slots=True)
class PaperRules:
    """`latency_ms` until a quote counts; `slippage` as a fraction of the last price."""

    latency_ms: int = 500
    slippage: float = 0.001


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
        )


class PaperBroker:
    """An order client without a broker; the executor feeds it quotes."""

    def __init__(self, rules: PaperRules) -> None:
        self._rules = rules
        self._orders: dict[str, _PaperOrder] = {}
        self._updates: list[OrderUpdate] = []

    async def place(self, request: OrderRequest) -> str:
        """Take an order; a tag that is already known is refused, as a second order would be."""
        broker_order_id = f"paper-{request.tag}"
        if broker_order_id in self._orders:
            raise OrderRefused(f"an order with tag {request.tag} was placed before")
        if request.quantity <= 0:
            raise OrderRefused(f"quantity must be positive, not {request.quantity}")
        self._orders[broker_order_id] = _PaperOrder(request, broker_order_id)
        return broker_order_id

    async def cancel(self, broker_order_id: str) -> None:
        """Cancel what is left of an order."""
        order = self._orders.get(broker_order_id)
        if order is not None and order.is_working:
            order.is_cancelled = True
            at_ms = max(order.last_quote_ms, order.request.placed_ms)
            self._updates.append(order.update(at_ms, "cancelled on request"))

    async def orders(self) -> Sequence[OrderUpdate]:
        """Return all orders since the start."""
        return [order.update(order.last_quote_ms) for order in self._orders.values()]

    def take_updates(self) -> Sequence[OrderUpdate]:
        """Return what happened since the last call."""
        updates, self._updates = self._updates, []
        return updates

    def on_quotes(self, quotes: QuoteBook) -> None:
        """Fill what the latest quotes fill, in the order of placing."""
        taken: Counter[tuple[int, str]] = Counter()
        for order in self._orders.values():
            if not order.is_working:
                continue
            quote = quotes.quote(order.request.instrument_token)
            if quote is not None and self._counts(order, quote):
                order.last_quote_ms = quote.at_ms
                place = (order.request.instrument_token, order.request.transaction_type)
                taken[place] += self._fill(order, quote, taken[place])

    def _counts(self, order: _PaperOrder, quote: Quote) -> bool:
        earliest_ms = order.request.placed_ms + self._rules.latency_ms
        return quote.at_ms >= earliest_ms and quote.at_ms > order.last_quote_ms

    def _fill(self, order: _PaperOrder, quote: Quote, taken: int) -> int:
        """Fill what the quote still offers after `taken` units; return the units filled."""
        price, offered = self._offer(order.request, quote)
        available = offered if quote.mid is None else offered - taken
        quantity = min(available, order.request.quantity - order.filled)
        if quantity <= 0 or not _within_limit(order.request, price):
            return 0
        fill_id = f"{order.broker_order_id}-{len(order.fills) + 1}"
        order.fills.append(Fill(fill_id, quantity, price, quote.at_ms))
        self._updates.append(order.update(quote.at_ms))
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
    """Return a market price as money: exact to the paisa, as the exchange quotes it."""
    return Decimal(str(round(price, 2)))
