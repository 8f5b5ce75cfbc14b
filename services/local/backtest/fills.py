"""Prices at which a backtest trades: Decimal, to the paisa, worse for us by the slippage."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from libs.market.charges import TransactionType

TICK = Decimal("0.01")


def price_of(price: float) -> Decimal:
    """Return a candle's price, or a level, rounded to the tick."""
    return Decimal(str(price)).quantize(TICK, ROUND_HALF_UP)


def at_market(price: Decimal, side: TransactionType, slippage: Decimal) -> Decimal:
    """Return the price of a market order, rounded against us; never below a tick."""
    if side == "BUY":
        return (price * (1 + slippage)).quantize(TICK, ROUND_CEILING)
    return max(TICK, (price * (1 - slippage)).quantize(TICK, ROUND_FLOOR))
