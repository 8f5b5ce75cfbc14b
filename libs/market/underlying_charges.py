"""Charges of trading shares and index futures, dated."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypeAlias

from libs.errors import AlphaStocksError
from libs.market.charges import Charges, TransactionType, to_paise
from libs.market.dated import DatedSeries, Known, Span
from libs.market.packaged import kept, load_table

Product: TypeAlias = Literal["intraday", "delivery", "future"]
"""Shares bought and sold on one day, shares kept over night, futures of an index."""

_TABLE = "underlying_charges.toml"
_NAMES = ("brokerage", "most_brokerage", "stt_on_sale", "stt_on_purchase", "exchange")
_RATES = (*_NAMES, "sebi", "stamp_on_purchase", "gst")
_NOTHING = Decimal(0)


class NoCharges(AlphaStocksError, LookupError):
    """An exchange whose charges are not in the data files."""


@dataclass(frozen=True, slots=True)
class UnderlyingRates:
    """Rates in force on a day: brokerage in rupees an order, the others fractions of turnover.

    Brokerage is at most `most_brokerage` of the turnover. `gst` is a fraction of brokerage,
    exchange and SEBI charges together.
    """

    brokerage: Decimal
    most_brokerage: Decimal
    stt_on_sale: Decimal
    stt_on_purchase: Decimal
    exchange: Decimal
    sebi: Decimal
    stamp_on_purchase: Decimal
    gst: Decimal


def underlying_rates(product: Product, exchange: str, on: date) -> Known[UnderlyingRates]:
    """Rates of a day; exact if every rate is. Before the first known rate it is the nearest.

    Raises NoCharges for an exchange that is not in the data file.
    """
    return _rates(product, exchange, on)


@kept
def _rates(product: Product, exchange: str, on: date) -> Known[UnderlyingRates]:
    known = {name: _series(name, product, exchange).at(on) for name in _RATES}
    rates = UnderlyingRates(**{name: rate.value for name, rate in known.items()})
    dates = [rate.source_date for rate in known.values() if rate.source_date is not None]
    return Known(rates, all(rate.is_exact for rate in known.values()), max(dates))


@kept
def _series(name: str, product: Product, exchange: str) -> DatedSeries[Decimal]:
    table = load_table(_TABLE)[name]
    if name == "exchange":
        if exchange not in table:
            raise NoCharges(f"no charges are known for {exchange}; known: {', '.join(table)}")
        table = table[exchange]
    return DatedSeries(_span(entry) for entry in table[product])


def _span(entry: dict[str, Any]) -> Span[Decimal]:
    return Span.of(entry, Decimal(entry["value"]))


_WHOLE = 10**9
_HALF = _WHOLE // 2


class WholeRates(NamedTuple):
    """Rates of one side: brokerage in paise an order, the others whole parts of a billionth."""

    brokerage: int
    most_brokerage: int
    exchange: int
    sebi: int
    stt: int
    stamp: int
    gst: int


@kept
def whole_rates(
    product: Product, exchange: str, on: date, transaction_type: TransactionType
) -> WholeRates:
    """Return the rates of a day and side for `charges_in_paise`; errors as `underlying_rates`."""
    rates = _rates(product, exchange, on).value
    stt, stamp = rates.stt_on_sale, _NOTHING
    if transaction_type == "BUY":
        stt, stamp = rates.stt_on_purchase, rates.stamp_on_purchase
    fractions = (rates.most_brokerage, rates.exchange, rates.sebi, stt, stamp, rates.gst)
    return WholeRates(int(rates.brokerage * 100), *(int(one * _WHOLE) for one in fractions))


def charges_in_paise(rates: WholeRates, turnover: int) -> int:
    """Return the total of `underlying_charges` in paise, of a turnover in paise."""
    brokerage, most, exchange, sebi, stt, stamp, gst = rates
    fees = min(brokerage, (turnover * most + _HALF) // _WHOLE)
    fees += (turnover * exchange + _HALF) // _WHOLE + (turnover * sebi + _HALF) // _WHOLE
    taxes = (turnover * stt + _HALF) // _WHOLE + (turnover * stamp + _HALF) // _WHOLE
    return fees + taxes + (fees * gst + _HALF) // _WHOLE


def underlying_charges(
    rates: UnderlyingRates, transaction_type: TransactionType, turnover: Decimal
) -> Charges:
    """Charges of an order that buys or sells for `turnover` rupees.

    Each component is rounded half up to the paisa. Raises ValueError for a negative turnover.
    """
    if turnover < 0:
        raise ValueError(f"turnover {turnover} must not be negative")
    is_sale = transaction_type == "SELL"
    brokerage = to_paise(min(rates.brokerage, rates.most_brokerage * turnover))
    exchange, sebi = to_paise(rates.exchange * turnover), to_paise(rates.sebi * turnover)
    stt = rates.stt_on_sale if is_sale else rates.stt_on_purchase
    return Charges(
        brokerage=brokerage,
        stt=to_paise(stt * turnover),
        exchange=exchange,
        sebi=sebi,
        stamp=_NOTHING if is_sale else to_paise(rates.stamp_on_purchase * turnover),
        gst=to_paise(rates.gst * (brokerage + exchange + sebi)),
    )
