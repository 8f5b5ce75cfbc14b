"""Margins: premiums and cash exactly, short options by a documented approximation.

A short option blocks fixed percentages of strike times quantity (the packaged limits say which),
in place of the exchange's SPAN scenarios and the spot's value; against a long option of the same
underlying, expiry and type only a fraction of the SPAN part. An order that closes blocks nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal

from libs.market.instruments import Instrument
from services.simulator.domain.account.order_request import NOTHING
from services.simulator.domain.account.positions import average
from services.simulator.domain.account.rules import OptionMargin, TradingLimits

_STOCK_OPTIONS = "STK"


@dataclass(frozen=True, slots=True)
class Requirement:
    """Rupees blocked; `option_premium` is negative when more was received than paid."""

    span: Decimal = NOTHING
    exposure: Decimal = NOTHING
    option_premium: Decimal = NOTHING
    equity: Decimal = NOTHING

    @property
    def total(self) -> Decimal:
        """All that is blocked."""
        return self.span + self.exposure + self.option_premium + self.equity

    def __add__(self, other: "Requirement") -> "Requirement":
        names = [field.name for field in fields(self)]
        return Requirement(*(getattr(self, name) + getattr(other, name) for name in names))


@dataclass(slots=True)
class Leg:
    """One instrument under one product: what is held, and what orders would buy and sell.

    `held` is signed and was opened at `price`; values in rupees.
    """

    instrument: Instrument
    product: str
    is_index_option: bool = False
    held: int = 0
    price: Decimal = NOTHING
    buy_quantity: int = 0
    buy_value: Decimal = NOTHING
    sell_quantity: int = 0
    sell_value: Decimal = NOTHING

    @property
    def opening_buys(self) -> Decimal:
        """Rupees of the buys that do not merely close a short position."""
        closing = min(self.buy_quantity, max(-self.held, 0))
        return (self.buy_quantity - closing) * average(self.buy_value, self.buy_quantity)

    @property
    def opening_sells(self) -> Decimal:
        """Rupees of the sales that do not merely close a long position."""
        closing = min(self.sell_quantity, max(self.held, 0))
        return (self.sell_quantity - closing) * average(self.sell_value, self.sell_quantity)

    @property
    def short_quantity(self) -> int:
        """Units short once all sales are filled."""
        return max(self.sell_quantity - self.held, 0)

    def add(self, transaction_type: str, quantity: int, price: Decimal) -> None:
        """Add an open order of so many units at a price."""
        if transaction_type == "BUY":
            self.buy_quantity += quantity
            self.buy_value += quantity * price
        else:
            self.sell_quantity += quantity
            self.sell_value += quantity * price


def requirement(legs: Iterable[Leg], limits: TradingLimits) -> Requirement:
    """Return what positions and open orders block together."""
    options: dict[tuple[str, date | None, str], list[Leg]] = {}
    total = Requirement()
    for leg in legs:
        if leg.instrument.is_option:
            contract = leg.instrument
            same = (contract.name, contract.expiry, contract.instrument_type)
            options.setdefault(same, []).append(leg)
        else:
            total += Requirement(equity=_equity(leg, limits))
    return sum((_options(group, limits) for group in options.values()), total)


def _equity(leg: Leg, limits: TradingLimits) -> Decimal:
    if leg.product == "CNC":
        return max(leg.held, 0) * leg.price + leg.opening_buys
    at_risk = abs(leg.held) * leg.price + max(leg.opening_buys, leg.opening_sells)
    return at_risk / limits.equity_intraday_leverage


def _options(legs: Sequence[Leg], limits: TradingLimits) -> Requirement:
    """Return what options of one underlying, expiry and type block."""
    rates = limits.index_option_margin if legs[0].is_index_option else limits.stock_option_margin
    notional = sum((leg.short_quantity * _strike(leg) for leg in legs), NOTHING)
    return Requirement(
        span=notional * rates.span / 100 * _unhedged(legs, rates),
        exposure=notional * rates.exposure / 100,
        option_premium=sum((leg.held * leg.price + leg.opening_buys for leg in legs), NOTHING),
    )


def _unhedged(legs: Sequence[Leg], rates: OptionMargin) -> Decimal:
    """Fraction of SPAN that remains after the long options among the legs."""
    short = sum(leg.short_quantity for leg in legs)
    hedged = min(short, sum(max(leg.held, 0) for leg in legs if not leg.short_quantity))
    return (short - hedged + hedged * rates.hedged) / short if short else NOTHING


def _strike(leg: Leg) -> Decimal:
    return Decimal(str(leg.instrument.strike))
