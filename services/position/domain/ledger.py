"""The arithmetic of a position: fills in, quantities, realised profit and charges out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from libs.events.positions import PositionEvent
from libs.market.rulebook import Rulebook
from services.position.domain.charge_lines import Fill, lines_of_fill, value_of

PAISE = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class TradeLedger:
    """What was bought and sold so far, in units and rupees, and the charges of all orders.

    `part_filled` has the value so far, in rupees, of orders that may fill further. A slippage is
    None before the first fill of its side, and once the price that one was decided on is not known.
    """

    bought_quantity: int = 0
    sold_quantity: int = 0
    buy_value: Decimal = Decimal(0)
    sell_value: Decimal = Decimal(0)
    charges: Decimal = Decimal(0)
    charges_are_exact: bool = True
    part_filled: Mapping[str, Decimal] = field(default_factory=dict)
    entry_slippage: Decimal | None = None
    exit_slippage: Decimal | None = None

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
            part_filled=position.part_filled,
            entry_slippage=position.entry_slippage,
            exit_slippage=position.exit_slippage,
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

    def add(
        self,
        fill: Fill,
        *,
        is_first_of_order: bool,
        rules: Rulebook,
        decided_price: Decimal | None = None,
    ) -> "TradeLedger":
        """Return the ledger after a fill; the fills of an order cost what the order does.

        `decided_price` is the price that was seen when it was decided on, rupees; None: not known.
        """
        value = value_of(fill)
        before = Decimal(0) if is_first_of_order else self.part_filled.get(str(fill.order_id))
        charged = lines_of_fill(fill, before, rules)
        is_buy = fill.transaction_type == "BUY"
        entry_slippage, exit_slippage = self._slippage_after(fill, decided_price)
        return TradeLedger(
            bought_quantity=self.bought_quantity + (fill.fill_quantity if is_buy else 0),
            sold_quantity=self.sold_quantity + (0 if is_buy else fill.fill_quantity),
            buy_value=self.buy_value + (value if is_buy else 0),
            sell_value=self.sell_value + (0 if is_buy else value),
            charges=self.charges + charged.value.total,
            charges_are_exact=self.charges_are_exact and charged.is_exact,
            part_filled=self._part_filled(fill, None if before is None else before + value),
            entry_slippage=entry_slippage,
            exit_slippage=exit_slippage,
        )

    def _slippage_after(
        self, fill: Fill, decided_price: Decimal | None
    ) -> tuple[Decimal | None, Decimal | None]:
        if fill.transaction_type == "BUY":
            before = self.entry_slippage if self.bought_quantity else Decimal(0)
            return _slipped(before, fill, decided_price), self.exit_slippage
        before = self.exit_slippage if self.sold_quantity else Decimal(0)
        return self.entry_slippage, _slipped(before, fill, decided_price)

    def _part_filled(self, fill: Fill, value: Decimal | None) -> dict[str, Decimal]:
        order_id = str(fill.order_id)
        others = {key: one for key, one in self.part_filled.items() if key != order_id}
        is_whole = fill.filled_quantity >= fill.quantity > 0
        return others if value is None or is_whole else {**others, order_id: value}


def _slipped(before: Decimal | None, fill: Fill, decided_price: Decimal | None) -> Decimal | None:
    if before is None or decided_price is None:
        return None
    worse = fill.fill_price - decided_price
    return before + fill.fill_quantity * (worse if fill.transaction_type == "BUY" else -worse)


def _average(value: Decimal, quantity: int) -> Decimal:
    return (value / quantity).quantize(Decimal("0.0001"))
