"""What happens to orders from second to second: they reach the book, change, fill and end.

Each second processes the orders, first placed first: validation once the latency is over; changes
that reached the book before the quote; trigger and fill; later changes; the end of the validity. So
a fill may precede a cancellation that is still on its way.
"""

from collections.abc import Collection, Iterable
from decimal import Decimal

from libs.market.quotes import Quote
from services.simulator.domain.account.matching import Offers, is_triggered
from services.simulator.domain.account.order import Fill, Order
from services.simulator.domain.account.order_checks import BEYOND_PROTECTION, is_protected
from services.simulator.domain.account.order_request import PRODUCTS, Terms
from services.simulator.domain.account.parts import AccountParts

BROKER = "ADMINSQF"
UNMATCHED = "Unmatched orders cancelled by the system"
_MS_PER_MINUTE = 60_000


class OrderFlow:
    """Processes the account's orders, second by second."""

    def __init__(self, parts: AccountParts) -> None:
        self._parts = parts

    exchanges = tuple(PRODUCTS)

    def match(self, now_ms: int) -> None:
        """Process all orders of one second, after its quotes."""
        for exchange in PRODUCTS:
            self._square_off(exchange, now_ms)
        self._advance_all(self._parts.book.working(), now_ms)

    def advance(self, order_ids: Collection[str], now_ms: int) -> None:
        """Process some of the orders alone."""
        working = self._parts.book.working()
        self._advance_all([one for one in working if one.order_id in order_ids], now_ms)

    def _advance_all(self, orders: Iterable[Order], now_ms: int) -> None:
        offers = Offers(
            self._parts.market, self._parts.state.used_quotes, self._parts.rules.fill_fraction
        )
        for order in orders:
            self._advance(order, offers, now_ms)
        offers.close()

    def _advance(self, order: Order, offers: Offers, now_ms: int) -> None:
        if order.is_waiting:
            self.validate(order, now_ms)
        if not order.is_in_book:
            return
        quote = self._quote(order, offers, now_ms)
        if quote is not None:
            self._change(order, quote.at_ms)
            self._trade(order, quote, offers)
        self._change(order, now_ms)
        self._expire(order, quote is not None, now_ms)

    def _quote(self, order: Order, offers: Offers, now_ms: int) -> Quote | None:
        is_open = self._parts.market.is_open(self._parts.instrument(order), now_ms)
        return offers.quote(order) if is_open else None

    def validate(self, order: Order, now_ms: int) -> None:
        """Accept an order into the book or reject it, once its latency is over."""
        if now_ms < order.book_ms:
            return
        if order.variety == "amo":
            if not self._parts.market.is_open(self._parts.instrument(order), now_ms):
                return
            order.book_ms = now_ms
            self._parts.book.step(order, "VALIDATION PENDING")
        objection = self._objection(order, order.terms, now_ms)
        if objection is None:
            self._accept(order)
            return
        self._parts.book.end(order, "REJECTED", now_ms, *objection)

    def _objection(self, order: Order, terms: Terms, now_ms: int) -> tuple[str, str | None] | None:
        """Return why an order is rejected; the broker's own ones never are."""
        return None if order.placed_by == BROKER else self._parts.objection(order, terms, now_ms)

    def _accept(self, order: Order) -> None:
        book = self._parts.book
        book.step(order, "OPEN PENDING")
        order.exchange_order_id = book.next_exchange_order_id(order.exchange)
        order.confirmed(order.book_ms)
        book.step(order, order.rest_status)
        book.announce(order)

    def _change(self, order: Order, until_ms: int) -> None:
        """Apply a pending change if it has reached the book by then."""
        change = order.change
        if change is None or change.due_ms > until_ms or not order.is_in_book:
            return
        if change.terms is None:
            self._parts.book.end(order, "CANCELLED", change.due_ms)
            return
        reason = self._objection_to_change(order, change.terms, change.due_ms)
        if reason is not None:
            self._parts.book.refuse_modification(order, reason)
            return
        order.book_ms = change.due_ms
        self._parts.book.modify(order, change.due_ms)

    def _objection_to_change(self, order: Order, terms: Terms, at_ms: int) -> str | None:
        if terms.quantity <= order.filled_quantity:
            return "16346 : Order cannot be modified"
        objection = self._parts.objection(order, terms, at_ms)
        return None if objection is None else objection[0]

    def _trade(self, order: Order, quote: Quote, offers: Offers) -> None:
        if order.is_over:
            return
        if order.is_dormant:
            if not is_triggered(order, quote):
                return
            self._release(order, quote.at_ms)
        if not order.is_over:
            quantity, price = offers.fill(order, quote, self._parts.instrument(order))
            if quantity:
                self.fill(order, quantity, price, quote.at_ms)

    def _release(self, order: Order, at_ms: int) -> None:
        """Let a triggered order into the book, unless its limit is out of the allowed range."""
        order.is_triggered = True
        order.confirmed(at_ms)
        if order.change is None:
            self._parts.book.step(order, "OPEN")
            self._parts.book.announce(order)
        limit, judged = order.terms.limit, self._parts.judged(order, order.terms, at_ms)
        if limit is not None and not is_protected(judged, limit):
            self._parts.book.end(order, "CANCELLED", at_ms, BEYOND_PROTECTION)

    def fill(self, order: Order, quantity: int, price: Decimal, at_ms: int) -> None:
        """Book a fill of an order, with its position and its update."""
        book = self._parts.book
        order.take_fill(quantity, price)
        order.confirmed(at_ms)
        fill = Fill(
            trade_id=book.next_trade_id(order.exchange),
            order_id=order.order_id,
            exchange_order_id=order.exchange_order_id or "",
            exchange=order.exchange,
            tradingsymbol=order.tradingsymbol,
            instrument_token=order.instrument_token,
            product=order.product,
            transaction_type=order.transaction_type,
            price=price,
            quantity=quantity,
            at_ms=at_ms,
        )
        self._parts.state.fills.append(fill)
        self._parts.portfolio.take(fill)
        self._after_fill(order)

    def _after_fill(self, order: Order) -> None:
        book = self._parts.book
        if order.pending_quantity:
            book.record(order)
            book.announce(order, "UPDATE")
            return
        order.change = None
        order.explain(None)
        book.step(order, "COMPLETE")
        book.announce(order)

    def _expire(self, order: Order, was_quoted: bool, now_ms: int) -> None:
        """Cancel what is left of an order whose validity is over."""
        if order.is_over:
            return
        closes_ms = self._parts.closes_ms(order.exchange)
        if closes_ms is not None and now_ms >= closes_ms:
            self._parts.book.end(order, "CANCELLED", closes_ms)
        elif order.terms.validity == "TTL":
            expires_ms = order.placed_ms + order.terms.validity_ttl * _MS_PER_MINUTE
            if now_ms >= expires_ms:
                self._parts.book.end(order, "CANCELLED", expires_ms)
        elif order.terms.validity == "IOC" and not order.is_dormant:
            waited_ms = now_ms - order.book_ms
            if was_quoted or waited_ms >= self._parts.rules.immediate_ms:
                self._parts.book.end(order, "CANCELLED", now_ms, UNMATCHED)

    def _square_off(self, exchange: str, now_ms: int) -> None:
        """Close intraday positions of an exchange at the broker's time, once a day."""
        parts, at_ms = self._parts, self._parts.square_off_ms(exchange)
        if at_ms is None or now_ms < at_ms or exchange in parts.state.squared_off:
            return
        parts.state.squared_off.append(exchange)
        self.close_intraday(exchange, now_ms)

    def close_intraday(self, exchange: str, now_ms: int) -> None:
        """Cancel the MIS orders of an exchange and close its MIS positions, as the broker."""
        parts = self._parts
        for order in parts.in_book():
            if order.product == "MIS" and order.exchange == exchange:
                parts.book.end(order, "CANCELLED", now_ms)
        for position in list(parts.portfolio):
            if position.product == "MIS" and position.exchange == exchange and position.quantity:
                self._close(position.tradingsymbol, exchange, position.quantity, now_ms)

    def _close(self, tradingsymbol: str, exchange: str, quantity: int, now_ms: int) -> None:
        """Place the broker's market order against a position."""
        book = self._parts.book
        instrument = self._parts.market.find(exchange, tradingsymbol)
        if instrument is None:
            return
        order = Order(
            order_id=book.next_order_id(),
            placed_by=BROKER,
            variety="regular",
            instrument_token=instrument.instrument_token,
            exchange=exchange,
            tradingsymbol=tradingsymbol,
            transaction_type="SELL" if quantity > 0 else "BUY",
            product="MIS",
            terms=Terms(abs(quantity), "MARKET"),
            placed_ms=now_ms,
            requested_ms=now_ms,
            book_ms=now_ms,
        )
        book.add(order, "PUT ORDER REQ RECEIVED", "VALIDATION PENDING")
