"""Dated rules of the exchange and the broker: lots, freezes, expiries, steps, charges."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

from libs.errors import AlphaStocksError
from libs.market.calendar import Calendar
from libs.market.charges import ChargeRates
from libs.market.dated import DatedSeries, Known, Span
from libs.market.expiries import Expiry, ExpiryRule, upcoming
from libs.market.packaged import load_table

__all__ = ["Expiry", "Known", "Rulebook", "RulebookError", "load_rulebook"]

T = TypeVar("T")

_STOCKS = "STOCKS"
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_RATES = ("brokerage", "stt_on_sale", "exchange", "sebi", "stamp_on_purchase", "gst")


class RulebookError(AlphaStocksError, LookupError):
    """An underlying that is not in the rulebook's data files."""


@dataclass(frozen=True, slots=True)
class StrikeBand:
    """Step between the strikes of a stock whose price is below `below` rupees."""

    below: float
    step: float


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Rules by day; underlyings by their option name, e.g. `NIFTY`, `RELIANCE`."""

    lots: dict[str, DatedSeries[int]]
    freezes: dict[str, DatedSeries[int]]
    expiry_rules: dict[str, tuple[ExpiryRule, ...]]
    index_strike_steps: dict[str, DatedSeries[float]]
    stock_strike_bands: DatedSeries[tuple[StrikeBand, ...]]
    option_tick_sizes: DatedSeries[Decimal]
    rates: dict[str, DatedSeries[Decimal]]
    square_offs: dict[tuple[str, str], DatedSeries[time]]
    stock_freeze_lots: int

    def lot_size(self, underlying: str, on: date) -> Known[int]:
        """Units in a lot of the contracts that expire next; later ones may differ.

        For estimates and synthesised dumps only: a real contract's lot is in the dump. Raises
        RulebookError for an unknown underlying.
        """
        return _find(self.lots, underlying, "lot size").at(on)

    def freeze_quantity(self, underlying: str, on: date) -> Known[int]:
        """Units from which the exchange refuses a single order; orders must stay below.

        For stocks it is an estimate: a cautious number of lots, not exact.
        """
        if underlying in self.freezes:
            return self.freezes[underlying].at(on)
        lot = self.lot_size(underlying, on)
        return Known(lot.value * self.stock_freeze_lots, False, lot.source_date)

    def expiries(self, underlying: str, on: date, calendar: Calendar, count: int) -> list[Expiry]:
        """Up to `count` expiries on or after a day, for synthesising dumps only.

        Real expiries come from the instrument dump. Raises RulebookError for an unknown underlying.
        """
        _find(self.lots, underlying, "expiry rule")
        rules = self.expiry_rules.get(underlying, self.expiry_rules[_STOCKS])
        return upcoming(rules, on, calendar, count)

    def strike_step(self, underlying: str, on: date, price: float) -> float:
        """Usual distance of strikes near the money, in rupees or points, at a price."""
        if underlying in self.index_strike_steps:
            return self.index_strike_steps[underlying].at(on).value
        _find(self.lots, underlying, "strike step")
        bands = self.stock_strike_bands.at(on).value
        return next((band.step for band in bands if price < band.below), bands[-1].step)

    def option_tick_size(self, on: date) -> Decimal:
        """Smallest step of an option's price in rupees."""
        return self.option_tick_sizes.at(on).value

    def charges(self, on: date) -> Known[ChargeRates]:
        """Rates of NSE options; exact if every rate is, dated by the latest change in effect.

        For a date before the first known rate the nearest one is used.
        """
        known = {name: self.rates[name].at(on) for name in _RATES}
        rates = ChargeRates(**{name: rate.value for name, rate in known.items()})
        dates = [rate.source_date for rate in known.values() if rate.source_date is not None]
        return Known(rates, all(rate.is_exact for rate in known.values()), max(dates))

    def broker_square_off(self, product: str, on: date, segment: str = "NFO") -> time | None:
        """Time in India at which the broker closes positions of a product; None: never."""
        series = self.square_offs.get((product, segment))
        return None if series is None else series.at(on).value


def _find(table: dict[str, DatedSeries[T]], underlying: str, what: str) -> DatedSeries[T]:
    if underlying not in table:
        raise RulebookError(f"no {what} is known for {underlying}")
    return table[underlying]


@cache
def load_rulebook() -> Rulebook:
    """Rulebook from the packaged data files."""
    lots, contracts = load_table("lots.toml"), load_table("contracts.toml")
    charges = load_table("charges.toml")
    return Rulebook(
        lots=_by_underlying(lots["lots"], int),
        freezes=_by_underlying(contracts["freezes"], int),
        expiry_rules=_read_expiry_rules(contracts["expiry_rules"]),
        index_strike_steps=_by_underlying(contracts["index_strike_steps"], float),
        stock_strike_bands=_series(contracts["stock_strike_bands"], _read_bands),
        option_tick_sizes=_series(contracts["option_tick_sizes"], Decimal),
        rates={name: _series(charges[name], Decimal) for name in _RATES},
        square_offs=_read_square_offs(contracts["square_offs"]),
        stock_freeze_lots=contracts["stock_freeze_lots"],
    )


def _series(entries: Iterable[dict[str, Any]], read: Callable[[Any], T]) -> DatedSeries[T]:
    return DatedSeries(
        Span(entry["from"], read(entry["value"]), entry.get("until"), entry.get("confirmed", True))
        for entry in entries
    )


def _by_underlying(
    table: dict[str, list[dict[str, Any]]], read: Callable[[Any], T]
) -> dict[str, DatedSeries[T]]:
    return {underlying: _series(entries, read) for underlying, entries in table.items()}


def _read_bands(bands: list[list[float]]) -> tuple[StrikeBand, ...]:
    return tuple(StrikeBand(float(below), float(step)) for below, step in bands)


def _read_expiry_rules(entries: Iterable[dict[str, Any]]) -> dict[str, tuple[ExpiryRule, ...]]:
    rules: dict[str, tuple[ExpiryRule, ...]] = {}
    for entry in entries:
        weekday, until = _WEEKDAYS.index(entry["weekday"]), entry.get("until", date.max)
        rule = ExpiryRule(entry["kind"] == "monthly", weekday, entry["from"], until)
        for underlying in entry["underlyings"]:
            rules[underlying] = (*rules.get(underlying, ()), rule)
    return rules


def _read_square_offs(
    entries: Iterable[dict[str, Any]],
) -> dict[tuple[str, str], DatedSeries[time]]:
    spans: dict[tuple[str, str], list[Span[time]]] = {}
    for entry in entries:
        key = (entry["product"], entry["segment"])
        spans.setdefault(key, []).append(Span(entry["from"], entry["value"]))
    return {key: DatedSeries(of_key) for key, of_key in spans.items()}
