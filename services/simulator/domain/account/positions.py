"""Positions of a day with Kite's arithmetic, and what of them is held as shares."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from services.simulator.domain.account.order import Fill
from services.simulator.domain.account.order_request import NOTHING


@dataclass(slots=True)
class Position:
    """What an account did in one instrument under one product; values in rupees.

    `overnight_quantity` is signed and was opened at `overnight_price` on an earlier day.
    """

    exchange: str
    tradingsymbol: str
    product: str
    overnight_quantity: int = 0
    overnight_price: Decimal = NOTHING
    day_buy_quantity: int = 0
    day_buy_value: Decimal = NOTHING
    day_sell_quantity: int = 0
    day_sell_value: Decimal = NOTHING

    @property
    def quantity(self) -> int:
        """Net units: negative when sold short."""
        return self.overnight_quantity + self.day_buy_quantity - self.day_sell_quantity

    @property
    def buy_quantity(self) -> int:
        """Units bought, overnight ones included."""
        return self.day_buy_quantity + max(self.overnight_quantity, 0)

    @property
    def sell_quantity(self) -> int:
        """Units sold, overnight ones included."""
        return self.day_sell_quantity - min(self.overnight_quantity, 0)

    @property
    def buy_value(self) -> Decimal:
        """Rupees paid, for overnight units at their own price."""
        return self.day_buy_value + max(self.overnight_quantity, 0) * self.overnight_price

    @property
    def sell_value(self) -> Decimal:
        """Rupees received, for overnight units at their own price."""
        return self.day_sell_value - min(self.overnight_quantity, 0) * self.overnight_price

    @property
    def average_price(self) -> Decimal:
        """Average price of the side that is open; 0 when flat."""
        if self.quantity > 0:
            return average(self.buy_value, self.buy_quantity)
        return average(self.sell_value, self.sell_quantity) if self.quantity < 0 else NOTHING

    @property
    def realised(self) -> Decimal:
        """Profit of the units both bought and sold, at average prices."""
        return self.sell_value - self.buy_value + self.quantity * self.average_price

    def take(self, transaction_type: str, quantity: int, value: Decimal) -> None:
        """Add units bought or sold today for so many rupees; negative ones take them back."""
        if transaction_type == "BUY":
            self.day_buy_quantity += quantity
            self.day_buy_value += value
        else:
            self.day_sell_quantity += quantity
            self.day_sell_value += value


@dataclass(frozen=True, slots=True)
class Holding:
    """Shares in the demat account, bought at an average price in rupees."""

    exchange: str
    tradingsymbol: str
    quantity: int
    average_price: Decimal


class Portfolio:
    """Positions and holdings of an account, over the dictionaries of its state."""

    def __init__(self, positions: dict[str, Position], holdings: dict[str, Holding]) -> None:
        self._positions, self._holdings = positions, holdings

    def __iter__(self) -> Iterator[Position]:
        return iter(self._positions.values())

    @property
    def holdings(self) -> tuple[Holding, ...]:
        """Shares held since an earlier day."""
        return tuple(self._holdings.values())

    def position(self, exchange: str, tradingsymbol: str, product: str) -> Position:
        """Return the position, which begins flat."""
        key = f"{exchange}:{tradingsymbol}:{product}"
        return self._positions.setdefault(key, Position(exchange, tradingsymbol, product))

    def quantity(self, exchange: str, tradingsymbol: str, product: str) -> int:
        """Return the net units, without opening a position."""
        position = self._positions.get(f"{exchange}:{tradingsymbol}:{product}")
        return 0 if position is None else position.quantity

    def deliverable(self, exchange: str, tradingsymbol: str) -> int:
        """Units of a share that can be sold for delivery: held, or bought so today."""
        holding = self._holdings.get(f"{exchange}:{tradingsymbol}")
        held = 0 if holding is None else holding.quantity
        return held + self.quantity(exchange, tradingsymbol, "CNC")

    def take(self, fill: Fill) -> None:
        """Add a fill to its position."""
        position = self.position(fill.exchange, fill.tradingsymbol, fill.product)
        position.take(fill.transaction_type, fill.quantity, fill.quantity * fill.price)

    def convert(self, held: Position, product: str, quantity: int, is_overnight: bool) -> None:
        """Move units of a position's open side to another product, at their average price."""
        sign = 1 if held.quantity > 0 else -1
        other = self.position(held.exchange, held.tradingsymbol, product)
        if is_overnight:
            _move_overnight(held, other, sign * quantity)
            return
        transaction_type, value = "BUY" if sign > 0 else "SELL", quantity * held.average_price
        held.take(transaction_type, -quantity, -value)
        other.take(transaction_type, quantity, value)


def average(value: Decimal, quantity: int) -> Decimal:
    """Return the price per unit; 0 without units."""
    return value / quantity if quantity else NOTHING


def _move_overnight(held: Position, other: Position, quantity: int) -> None:
    value = other.overnight_quantity * other.overnight_price + quantity * held.overnight_price
    held.overnight_quantity -= quantity
    other.overnight_quantity += quantity
    other.overnight_price = average(value, other.overnight_quantity)
