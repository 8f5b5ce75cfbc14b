"""How much of a second's quotes the account's orders take, and at which price."""

from decimal import Decimal

from libs.market.instruments import Instrument
from libs.market.quotes import Quote
from services.simulator.domain.account.market_port import AccountMarket
from services.simulator.domain.account.order import Order
from services.simulator.domain.account.prices import exact, is_within, opposite


class Offers:
    """The quantities that one second's quotes offer, to the orders first come first served.

    A quote is used once: `used_quotes` (time of the last one by token) is brought up to date by
    `close`. `fill_fraction` of each quoted quantity may be taken.
    """

    def __init__(
        self, market: AccountMarket, used_quotes: dict[int, int], fill_fraction: Decimal
    ) -> None:
        self._market, self._used, self._fraction = market, used_quotes, fill_fraction
        self._taken: dict[tuple[int, bool], int] = {}
        self._seen: dict[int, int] = {}

    def quote(self, order: Order) -> Quote | None:
        """Return the quote for an order: not older than the order and not used before."""
        quote = self._market.quote(order.instrument_token)
        if quote is None or quote.at_ms <= self._used.get(order.instrument_token, -1):
            return None
        return quote if quote.at_ms >= order.book_ms else None

    def fill(self, order: Order, quote: Quote, instrument: Instrument) -> tuple[int, Decimal]:
        """Fill what a quote offers an order: whole lots at the best opposite price."""
        price, quoted = opposite(quote, order.is_buy)
        if not price or not is_within(price, order.terms.limit, order.is_buy):
            return 0, price
        place = (order.instrument_token, order.is_buy)
        offered = int(quoted * self._fraction) - self._taken.get(place, 0)
        lot_size = max(instrument.lot_size, 1)
        quantity = min(offered, order.pending_quantity) // lot_size * lot_size
        if quantity <= 0:
            return 0, price
        self._taken[place] = self._taken.get(place, 0) + quantity
        self._seen[order.instrument_token] = quote.at_ms
        return quantity, price

    def close(self) -> None:
        """Mark the quotes from which something was filled as used."""
        self._used.update(self._seen)


def is_triggered(order: Order, quote: Quote) -> bool:
    """Whether the last price has reached the order's trigger price."""
    last = exact(quote.last_price)
    if not last:
        return False
    return last >= order.terms.trigger_price if order.is_buy else last <= order.terms.trigger_price
