"""Placing, modifying and cancelling: the immediate reply to a request.

The reply only says that the request is registered. Refused at once are malformed requests (see
`order_request`), changes of orders that cannot be changed, and slices of an autosliced order for
which the funds do not suffice. All else is checked on the way to the book (see `order_flow`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from libs.market.instruments import Instrument
from services.simulator.domain.account.order import Change, Order
from services.simulator.domain.account.order_checks import freeze_quantity
from services.simulator.domain.account.order_request import (
    NOTHING,
    OrderRequest,
    Terms,
    read_modification,
    read_order,
)
from services.simulator.domain.account.parts import AccountParts
from services.simulator.domain.account.prices import (
    last_price,
    protected_price,
    protection_percent,
)
from services.simulator.domain.errors import InputError, KiteError, MarginError, OrderError
from services.simulator.domain.india_time import time_of_day

_CENT = Decimal("0.01")
Tags = tuple[str, ...]


class Gateway:
    """Takes a client's requests; raises KiteError for those that leave no order."""

    def __init__(self, parts: AccountParts) -> None:
        self._parts = parts

    def place(
        self,
        variety: str,
        fields: Mapping[str, str],
        now_ms: int,
        refused_slices: Mapping[int, str],
    ) -> dict[str, Any]:
        """Register an order, or the slices of one but those that are refused, by their number."""
        request = read_order(variety, fields, self._parts.market, self._parts.limits)
        if variety == "amo":
            self._check_after_market(request.instrument, now_ms)
        if request.is_autoslice:
            return self._place_slices(request, now_ms, refused_slices)
        return {"order_id": self._register(self._order(request, now_ms)).order_id}

    def modify(
        self, variety: str, order_id: str, fields: Mapping[str, str], now_ms: int
    ) -> dict[str, Any]:
        """Register new terms, which hold once they have reached the book."""
        order = self._parts.book.find(order_id, variety)
        if not order.takes_changes:
            raise OrderError("Order cannot be modified as it is being processed. Try later.")
        if order.modifications >= self._parts.limits.order_modifications:
            raise OrderError("Maximum allowed order modifications exceeded.")
        terms = self._modified_terms(order, fields)
        order.modifications += 1
        order.requested_ms = now_ms
        self._send_modification(order, terms, now_ms)
        return {"order_id": order_id}

    def cancel(self, variety: str, order_id: str, now_ms: int) -> dict[str, Any]:
        """Register a cancellation, which holds once it has reached the book."""
        book = self._parts.book
        order = book.find(order_id, variety)
        if not order.takes_changes:
            raise OrderError("Order cannot be cancelled as it is being processed. Try later.")
        order.requested_ms = now_ms
        if order.is_waiting:
            book.end(order, "CANCELLED", now_ms)
        else:
            order.change = Change(None, now_ms + self._parts.rules.latency_ms)
            book.step(order, "CANCEL PENDING")
        return {"order_id": order_id}

    def _check_after_market(self, instrument: Instrument, now_ms: int) -> None:
        is_open = self._parts.market.is_open(instrument, now_ms)
        if is_open or self._parts.limits.pauses_amo(instrument.exchange, time_of_day(now_ms)):
            raise OrderError("After market orders cannot be placed during market hours.")

    def _register(self, order: Order) -> Order:
        if order.variety == "amo":
            self._parts.book.add(order, "AMO REQ RECEIVED")
        else:
            self._parts.book.add(order, "PUT ORDER REQ RECEIVED", "VALIDATION PENDING")
        return order

    def _order(self, request: OrderRequest, now_ms: int, tags: Tags = ()) -> Order:
        terms, protection = self._protected(
            request.terms, request.instrument, request.transaction_type == "BUY"
        )
        own = (request.tag,) if request.tag else ()
        return Order(
            order_id=self._parts.book.next_order_id(),
            placed_by=self._parts.state.user_id,
            variety=request.variety,
            instrument_token=request.instrument.instrument_token,
            exchange=request.instrument.exchange,
            tradingsymbol=request.instrument.tradingsymbol,
            transaction_type=request.transaction_type,
            product=request.product,
            terms=terms,
            placed_ms=now_ms,
            requested_ms=now_ms,
            book_ms=now_ms + self._parts.rules.latency_ms,
            tag=request.tag,
            tags=(*own, *protection, *tags),
        )

    def _protected(self, terms: Terms, instrument: Instrument, is_buy: bool) -> tuple[Terms, Tags]:
        """Turn a protected market order into the limit order that is sent in its place.

        MARKET becomes a LIMIT around the last price, SL-M an SL around its trigger price; the tags
        tell, as Kite's do.
        """
        if terms.order_type not in ("MARKET", "SL-M") or not terms.market_protection:
            return terms, ()
        market = self._parts.market
        base = terms.trigger_price or last_price(market, instrument)
        if not base:
            raise OrderError(f"There is no last price of {instrument.tradingsymbol} to protect by.")
        percent = protection_percent(terms, instrument, base, self._parts.limits)
        circuit = market.circuit_limits(instrument.instrument_token)
        price = protected_price(base, percent, is_buy, instrument, circuit)
        order_type = "LIMIT" if terms.order_type == "MARKET" else "SL"
        sent = replace(terms, order_type=order_type, price=price, market_protection=NOTHING)
        return sent, ("mktp", f"mktp:{percent.quantize(_CENT)}")

    def _place_slices(
        self, request: OrderRequest, now_ms: int, refused: Mapping[int, str]
    ) -> dict[str, Any]:
        """Register an order in slices under a parent's number, which is no order itself."""
        sizes = list(self._slices(request.instrument, request.terms.quantity))
        if len(sizes) > self._parts.limits.slices:
            raise InputError(f"The order needs more than {self._parts.limits.slices} slices.")
        parent_id = self._parts.book.next_order_id()
        tags = ("autoslice", f"autoslice:{parent_id}")
        children = []
        for number, size in enumerate(sizes, 1):
            if number in refused:
                children.append(_refused(OrderError(refused[number])))
                continue
            slice_request = replace(request, terms=replace(request.terms, quantity=size))
            children.append(self._place_slice(slice_request, tags, now_ms))
        return {"order_id": parent_id, "children": children}

    def _slices(self, instrument: Instrument, quantity: int) -> Iterator[int]:
        largest = self._parts.limits.equity_order_quantity
        if instrument.is_option:
            largest = freeze_quantity(instrument, self._parts.market, self._parts.rulebook)
        lot_size = max(instrument.lot_size, 1)
        largest = max(largest // lot_size, 1) * lot_size
        for start in range(0, quantity, largest):
            yield min(largest, quantity - start)

    def _place_slice(self, request: OrderRequest, tags: Tags, now_ms: int) -> dict[str, Any]:
        order = self._order(request, now_ms, tags)
        objection = self._parts.funds_objection(order, order.terms, self._parts.book.working())
        if objection is None:
            return {"order_id": self._register(order).order_id}
        words = objection[0].removesuffix(" Check the orderbook for open orders.")
        return _refused(MarginError(words))

    def _modified_terms(self, order: Order, fields: Mapping[str, str]) -> Terms:
        instrument = self._parts.instrument(order)
        terms = read_modification(
            fields, order.terms, order.transaction_type, instrument, self._parts.limits
        )
        if terms.quantity <= order.filled_quantity:
            raise InputError("Invalid `quantity`. It should be more than the filled quantity.")
        return self._protected(terms, instrument, order.is_buy)[0]

    def _send_modification(self, order: Order, terms: Terms, now_ms: int) -> None:
        book = self._parts.book
        if order.is_waiting:
            order.terms, order.is_modified = terms, True
            book.step(order, "AMO REQ RECEIVED")
            return
        order.change = Change(terms, now_ms + self._parts.rules.latency_ms)
        book.step(order, "MODIFY VALIDATION PENDING")
        book.step(order, "MODIFY PENDING")


def _refused(error: KiteError) -> dict[str, Any]:
    """Return a child of an autosliced order that was not registered."""
    return {
        "error": {
            "code": error.status,
            "error_type": error.error_type,
            "message": str(error),
            "data": None,
        }
    }
