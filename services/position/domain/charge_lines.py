"""The charges of fills, line by line as a contract note has them, rounded per order."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from operator import add, sub
from typing import Protocol
from uuid import UUID

from libs.market.charges import ChargeRates, TransactionType, option_charges, to_paise
from libs.market.dated import Known
from libs.market.rulebook import Rulebook

_NOTHING = Decimal(0)
RATES_OF = "NFO"
"""The exchange whose rates are known; elsewhere they are taken, too, and are not exact."""


class Fill(Protocol):
    """What the books need of a fill; quantities in units, the price in rupees.

    `quantity` is that of the order, 0 if it is not known; `filled_quantity` includes the fill.
    """

    @property
    def trading_day(self) -> date: ...  # noqa: D102
    @property
    def order_id(self) -> UUID: ...  # noqa: D102
    @property
    def transaction_type(self) -> TransactionType: ...  # noqa: D102
    @property
    def quantity(self) -> int: ...  # noqa: D102
    @property
    def filled_quantity(self) -> int: ...  # noqa: D102
    @property
    def fill_quantity(self) -> int: ...  # noqa: D102
    @property
    def fill_price(self) -> Decimal: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Lines:
    """Charges in rupees; `exchange` is without what goes to the investor protection fund."""

    brokerage: Decimal = _NOTHING
    stt: Decimal = _NOTHING
    exchange: Decimal = _NOTHING
    ipft: Decimal = _NOTHING
    sebi: Decimal = _NOTHING
    stamp: Decimal = _NOTHING
    gst: Decimal = _NOTHING

    @property
    def total(self) -> Decimal:
        """The sum of all lines."""
        return sum((amount for _, amount in self.named()), _NOTHING)

    def named(self) -> Iterator[tuple[str, Decimal]]:
        """Yield the name and the amount of each line, in the order of a contract note."""
        return ((name, getattr(self, name)) for name in NAMES)

    def __add__(self, other: "Lines") -> "Lines":
        return Lines(*map(add, self._amounts(), other._amounts()))

    def __sub__(self, other: "Lines") -> "Lines":
        return Lines(*map(sub, self._amounts(), other._amounts()))

    def _amounts(self) -> list[Decimal]:
        return [amount for _, amount in self.named()]


NAMES = tuple(one.name for one in fields(Lines))


def value_of(fill: Fill) -> Decimal:
    """Return quantity times price, rupees."""
    return fill.fill_price * fill.fill_quantity


def lines_of_fill(fill: Fill, before: Decimal | None, rules: Rulebook) -> Known[Lines]:
    """Return what a fill adds to the charges of its order, and whether the day's rates are known.

    `before` is the value of the order's earlier fills, 0 for its first, None if it is not known:
    then the fill is charged by itself, without a second brokerage. So the fills of an order
    together cost what the order does, rounded once.
    """
    rates = rules.charges(fill.trading_day)
    return Known(_added(rates.value, fill, before), rates.is_exact, rates.source_date)


def _added(rates: ChargeRates, fill: Fill, before: Decimal | None) -> Lines:
    side, value = fill.transaction_type, value_of(fill)
    if before is None:
        return _lines(rates, side, value, orders=0)
    if not before:
        return _lines(rates, side, value, orders=1)
    return _lines(rates, side, before + value, orders=1) - _lines(rates, side, before, orders=1)


def _lines(rates: ChargeRates, side: TransactionType, value: Decimal, orders: int) -> Lines:
    charges, fund = (
        option_charges(rates, side, value, orders),
        to_paise(rates.investor_fund * value),
    )
    return Lines(
        brokerage=charges.brokerage,
        stt=charges.stt,
        exchange=charges.exchange - fund,
        ipft=fund,
        sebi=charges.sebi,
        stamp=charges.stamp,
        gst=charges.gst,
    )
