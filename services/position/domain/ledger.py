"""The arithmetic of a position: fills in, quantities, realised profit and charges out."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from libs.events.orders import OrderFilled
from libs.events.positions import PositionEvent
from libs.market.charges import option_charges
from libs.market.rulebook import Rulebook

PAISE = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class TradeLedger:
    """What was bought and sold so far, in units and rupees, and the charges of all fills."""

    bought_quantity: int = 0
    sold_quantity: int = 0
    buy_value: Decimal = Decimal(0)
    sell_value: Decimal = Decimal(0)
    charges: Decimal = Decimal(0)
    charges_are_exact: bool = True

    @classmethod
    def of(cls, position: PositionEvent) -> "TradeLedger":
        """Return the ledger of a position's last event."""
        return cls(
            bought_quantity=position.bought_quantity,
            sold_quantity=position.sold_quantity,
            buy_value=position.buy_value,
            sell_value=position.sell_value,
            charges=position.charges,
            charges_are_exact=position.charges_are_exact,
        )

    @property
    def quantity(self) -> int:
        """Units held; negative if more was sold."""
        return self.bought_quantity - self.sold_quantity

    @property
    def entry_price(self) -> Decimal:
        """Average purchase price, rupees; without a purchase the average sale price."""
        if not self.bought_quantity:
            return _average(self.sell_value, self.sold_quantity)
        return _average(self.buy_value, self.bought_quantity)

    @property
    def exit_price(self) -> Decimal | None:
        """Average sale price, rupees; None before the first sale."""
        return _average(self.sell_value, self.sold_quantity) if self.sold_quantity else None

    @property
    def realised(self) -> Decimal:
        """Profit of what was bought and sold, rupees before charges."""
        done = min(self.bought_quantity, self.sold_quantity)
        if not done:
            return Decimal(0)
        revenue = self.sell_value * done / self.sold_quantity
        return (revenue - self.buy_value * done / self.bought_quantity).quantize(PAISE)

    def unrealised(self, last_price: Decimal) -> Decimal:
        """Profit of what is held, or was oversold, at `last_price`, rupees before charges."""
        if self.quantity < 0:
            revenue = self.sell_value * -self.quantity / self.sold_quantity
            return (last_price * self.quantity + revenue).quantize(PAISE)
        cost = self.buy_value * self.quantity / max(self.bought_quantity, 1)
        return (last_price * self.quantity - cost).quantize(PAISE)

    def add(self, fill: OrderFilled, *, is_first_of_order: bool, rules: Rulebook) -> "TradeLedger":
        """Return the ledger after a fill; brokerage counts once per order."""
        value = fill.fill_price * fill.fill_quantity
        charged, is_exact = charges_of(fill, value, is_first_of_order, fill.trading_day, rules)
        is_buy = fill.transaction_type == "BUY"
        return TradeLedger(
            bought_quantity=self.bought_quantity + (fill.fill_quantity if is_buy else 0),
            sold_quantity=self.sold_quantity + (0 if is_buy else fill.fill_quantity),
            buy_value=self.buy_value + (value if is_buy else 0),
            sell_value=self.sell_value + (0 if is_buy else value),
            charges=self.charges + charged,
            charges_are_exact=self.charges_are_exact and is_exact,
        )


def charges_of(
    fill: OrderFilled, value: Decimal, is_first_of_order: bool, on: date, rules: Rulebook
) -> tuple[Decimal, bool]:
    """Return the charges of a fill (rupees), and whether the rates of that day are known."""
    rates = rules.charges(on)
    charges = option_charges(
        rates.value, fill.transaction_type, value, orders=1 if is_first_of_order else 0
    )
    return charges.total, rates.is_exact


def _average(value: Decimal, quantity: int) -> Decimal:
    return (value / quantity).quantize(Decimal("0.0001"))
