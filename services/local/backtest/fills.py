"""Prices at which a backtest trades: whole paise, worse for us by the slippage."""

from decimal import ROUND_HALF_UP, Decimal

from libs.market.charges import TransactionType

TICK = Decimal("0.01")


def paise_of(price: float) -> int:
    """Return a candle's price, or a level, in paise, rounded half up as it is written."""
    hundredfold = price * 100.0 + 0.5
    paise = int(hundredfold)
    if 1e-4 < hundredfold - paise < 1 - 1e-4 and hundredfold < 1e10:
        return paise
    return int(Decimal(str(price)).quantize(TICK, ROUND_HALF_UP).scaleb(2))  # a tie, perhaps


def rupees_of(paise: int) -> Decimal:
    """Return paise as rupees, with two decimals."""
    return Decimal(paise).scaleb(-2)


class Market:
    """Prices of market orders, which lose `slippage` of the price, rounded against us."""

    def __init__(self, slippage: Decimal) -> None:
        self._lost, self._whole = slippage.as_integer_ratio()

    def price(self, paise: int, side: TransactionType) -> int:
        """Return the price of an order in paise; never below one."""
        if side == "BUY":
            return -(-paise * (self._whole + self._lost) // self._whole)
        return max(1, paise * (self._whole - self._lost) // self._whole)


def at_market(price: Decimal, side: TransactionType, slippage: Decimal) -> Decimal:
    """Return the price of a market order in rupees, rounded against us; never below a paisa."""
    return rupees_of(Market(slippage).price(int(price.scaleb(2)), side))


def price_of(price: float) -> Decimal:
    """Return a candle's price, or a level, in rupees, rounded half up to the paisa."""
    return rupees_of(paise_of(price))
