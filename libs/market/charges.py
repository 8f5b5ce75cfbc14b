"""Charges of option orders."""

from dataclasses import dataclass, fields
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal, TypeAlias

TransactionType: TypeAlias = Literal["BUY", "SELL"]

_PAISA = Decimal("0.01")
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class ChargeRates:
    """Rates in force on a day: brokerage in rupees an order, the others fractions of turnover.

    `gst` is a fraction of brokerage, exchange and SEBI charges together. `investor_fund` is the
    part of `exchange` that goes to the investor protection fund.
    """

    brokerage: Decimal
    stt_on_sale: Decimal
    exchange: Decimal
    sebi: Decimal
    stamp_on_purchase: Decimal
    gst: Decimal
    investor_fund: Decimal = _NOTHING


@dataclass(frozen=True, slots=True)
class NoteSteps:
    """To what the sums of a contract note are rounded, in rupees."""

    stt: Decimal
    stamp: Decimal


@dataclass(frozen=True, slots=True)
class Charges:
    """Charges in rupees, each rounded to the paisa."""

    brokerage: Decimal = _NOTHING
    stt: Decimal = _NOTHING
    exchange: Decimal = _NOTHING
    sebi: Decimal = _NOTHING
    stamp: Decimal = _NOTHING
    gst: Decimal = _NOTHING

    @property
    def total(self) -> Decimal:
        """Sum of all charges in rupees."""
        return sum((getattr(self, field.name) for field in fields(self)), _NOTHING)

    def __add__(self, other: "Charges") -> "Charges":
        names = [field.name for field in fields(self)]
        return Charges(*(getattr(self, name) + getattr(other, name) for name in names))


def option_charges(
    rates: ChargeRates, transaction_type: TransactionType, turnover: Decimal, orders: int = 1
) -> Charges:
    """Charges of buying or selling options for `turnover` rupees of premium in so many orders.

    Each component is rounded half up to the paisa. Raises ValueError for a negative turnover or
    number of orders, and for a transaction type that is neither BUY nor SELL.
    """
    if turnover < 0 or orders < 0:
        raise ValueError(f"turnover {turnover} and orders {orders} must not be negative")
    stt, stamp = _one_sided(rates, transaction_type)
    brokerage = to_paise(rates.brokerage * orders)
    exchange, sebi = to_paise(rates.exchange * turnover), to_paise(rates.sebi * turnover)
    return Charges(
        brokerage=brokerage,
        stt=to_paise(stt * turnover),
        exchange=exchange,
        sebi=sebi,
        stamp=to_paise(stamp * turnover),
        gst=to_paise(rates.gst * (brokerage + exchange + sebi)),
    )


def _one_sided(rates: ChargeRates, transaction_type: str) -> tuple[Decimal, Decimal]:
    """Rates of STT, which only a seller pays, and of stamp duty, which only a buyer pays."""
    if transaction_type == "BUY":
        return _NOTHING, rates.stamp_on_purchase
    if transaction_type == "SELL":
        return rates.stt_on_sale, _NOTHING
    raise ValueError(f"transaction type {transaction_type!r} is neither BUY nor SELL")


def to_paise(amount: Decimal) -> Decimal:
    """Return an amount rounded half up to the paisa."""
    return amount.quantize(_PAISA, ROUND_HALF_UP)
