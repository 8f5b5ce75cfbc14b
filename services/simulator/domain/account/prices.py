"""Prices of the market as exact money, and prices that an order is given by it."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from libs.market.instruments import Instrument
from libs.market.quotes import Quote
from services.simulator.domain.account.market_port import AccountMarket
from services.simulator.domain.account.order_request import AUTOMATIC, NOTHING, Terms
from services.simulator.domain.account.rules import TradingLimits

_DECIMALS = 4


def exact(price: float) -> Decimal:
    """Return a market price as money; 0 where there is none."""
    return Decimal(str(round(price, _DECIMALS))) if price > 0 else NOTHING


def last_price(market: AccountMarket, instrument: Instrument) -> Decimal:
    """Last traded price, before the first quote the close of the day before; 0 if unknown."""
    quote = market.quote(instrument.instrument_token)
    last = NOTHING if quote is None else exact(quote.last_price)
    close = market.previous_close(instrument.instrument_token)
    return last or exact(close) or exact(instrument.last_price)


def opposite(quote: Quote, is_buy: bool) -> tuple[Decimal, int]:
    """Best price and quantity on the other side; nothing unless the quote has both sides."""
    if quote.mid is None:
        return NOTHING, 0
    if is_buy:
        return exact(quote.ask_price), quote.ask_quantity
    return exact(quote.bid_price), quote.bid_quantity


def is_within(price: Decimal, limit: Decimal | None, is_buy: bool) -> bool:
    """Whether an order may fill at a price."""
    if limit is None:
        return True
    return price <= limit if is_buy else price >= limit


def protection_percent(
    terms: Terms, instrument: Instrument, last: Decimal, limits: TradingLimits
) -> Decimal:
    """Return the percent asked for, or the automatic one of the price's band."""
    if terms.market_protection == AUTOMATIC:
        return limits.automatic_protection(instrument, last)
    return terms.market_protection


def protected_price(
    base: Decimal,
    percent: Decimal,
    is_buy: bool,
    instrument: Instrument,
    circuit_limits: tuple[float, float],
) -> Decimal:
    """Worst price within so many percent of a price, on the tick and within the day's limits."""
    lower, upper = (exact(limit) for limit in circuit_limits)
    away = base * percent / 100
    price = base + away if is_buy else base - away
    if upper:
        price = min(price, upper) if is_buy else max(price, lower)
    steps = (price / instrument.tick_size).to_integral(ROUND_FLOOR if is_buy else ROUND_CEILING)
    return max(steps, Decimal(1)) * instrument.tick_size
