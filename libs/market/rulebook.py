"""Dated rules of the exchange and the broker: lots, freezes, expiries, steps, charges."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from libs.errors import AlphaStocksError
from libs.market.calendar import Calendar
from libs.market.charges import ChargeRates, NoteSteps
from libs.market.dated import DatedSeries, Known, Span
from libs.market.expiries import Expiry, ExpiryRule, upcoming
from libs.market.packaged import kept, load_table

__all__ = ["Expiry", "Known", "Rulebook", "RulebookError", "load_rulebook"]

T = TypeVar("T")

_STOCKS = "STOCKS"
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_RATES = ("brokerage", "stt_on_sale", "exchange", "sebi", "stamp_on_purchase", "gst")
_STATED_ONLY = ("stt_on_exercise",)
"""Rates that nothing here pays: options are sold before they are exercised."""
_OF_NOTES = ("investor_fund", "stt_step", "stamp_step")
"""How a contract note splits and rounds what the other rates come to."""


_CHARGES = (*_RATES, *_STATED_ONLY, *_OF_NOTES)


class RulebookError(AlphaStocksError, LookupError):
    """An underlying that is not in the rulebook's data files."""


@dataclass(frozen=True, slots=True)
class StrikeBand:
    """Step between the strikes of a stock whose price is below `below` rupees."""

    below: float
    step: float


@dataclass(frozen=True, slots=True)
class TickBand:
    """Tick of an option whose underlying is below `below` rupees, in rupees."""

    below: Decimal
    tick: Decimal

    def __str__(self) -> str:
        return f"₹{self.tick}" if self.below.is_infinite() else f"₹{self.tick} below ₹{self.below}"


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Rules by day; underlyings by their option name, e.g. `NIFTY`, `RELIANCE`."""

    lots: dict[str, DatedSeries[int]]
    freezes: dict[str, DatedSeries[int]]
    expiry_rules: dict[str, tuple[ExpiryRule, ...]]
    index_strike_steps: dict[str, DatedSeries[float]]
    stock_strike_bands: DatedSeries[tuple[StrikeBand, ...]]
    option_tick_sizes: DatedSeries[Decimal]
    stock_option_ticks: DatedSeries[tuple[TickBand, ...]]
    rates: dict[str, DatedSeries[Decimal]]
    square_offs: dict[tuple[str, str], DatedSeries[time]]
    stock_freeze_lots: int
    indices: tuple[str, ...]

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
        if underlying in self.indices:
            return _find(self.index_strike_steps, underlying, "strike step").at(on).value
        _find(self.lots, underlying, "strike step")
        bands = self.stock_strike_bands.at(on).value
        return next((band.step for band in bands if price < band.below), bands[-1].step)

    def option_tick_size(self, on: date) -> Decimal:
        """Smallest step of an index option's price in rupees: a stock's may be smaller."""
        return self.option_tick_sizes.at(on).value

    def tick_size(self, underlying: str, on: date, price: float) -> Decimal:
        """Smallest step of an option's price, in rupees, at a price of the underlying.

        For synthesised dumps only: a real contract's tick is in the dump.
        """
        if underlying in self.indices:
            return self.option_tick_size(on)
        bands = self.stock_option_ticks.at(on).value
        return next((band.tick for band in bands if price < band.below), bands[-1].tick)

    def charges(self, on: date) -> Known[ChargeRates]:
        """Rates of NSE options; exact if every rate is, dated by the latest change in effect.

        For a date before the first known rate the nearest one is used.
        """
        known = {name: self.rates[name].at(on) for name in _RATES}
        rates = ChargeRates(
            **{name: rate.value for name, rate in known.items()},
            investor_fund=self.rates["investor_fund"].at(on).value,
        )
        dates = [rate.source_date for rate in known.values() if rate.source_date is not None]
        return Known(rates, all(rate.is_exact for rate in known.values()), max(dates))

    def note_steps(self, on: date) -> Known[NoteSteps]:
        """To what a contract note rounds the day's sums; exact if a circular says so."""
        stt, stamp = self.rates["stt_step"].at(on), self.rates["stamp_step"].at(on)
        is_exact = stt.is_exact and stamp.is_exact
        return Known(NoteSteps(stt.value, stamp.value), is_exact, stt.source_date)

    def broker_square_off(self, product: str, on: date, segment: str = "NFO") -> time | None:
        """Time in India at which the broker closes positions of a product; None: never."""
        series = self.square_offs.get((product, segment))
        return None if series is None else series.at(on).value


def _find(table: dict[str, DatedSeries[T]], underlying: str, what: str) -> DatedSeries[T]:
    if underlying not in table:
        raise RulebookError(f"no {what} is known for {underlying}")
    return table[underlying]


@kept
def load_rulebook() -> Rulebook:
    """Rulebook from the data files."""
    lots, contracts = load_table("lots.toml"), load_table("contracts.toml")
    charges = load_table("charges.toml")
    return Rulebook(
        lots=_by_underlying(lots["lots"], int),
        freezes=_by_underlying(contracts["freezes"], int),
        expiry_rules=_read_expiry_rules(contracts["expiry_rules"]),
        index_strike_steps=_by_underlying(contracts["index_strike_steps"], float),
        stock_strike_bands=DatedSeries.of(contracts["stock_strike_bands"], _read_bands),
        option_tick_sizes=DatedSeries.of(contracts["option_tick_sizes"], Decimal),
        stock_option_ticks=DatedSeries.of(contracts["stock_option_tick_sizes"], _read_ticks),
        rates={name: DatedSeries.of(charges[name], Decimal) for name in _CHARGES},
        square_offs=_read_square_offs(contracts["square_offs"]),
        stock_freeze_lots=contracts["stock_freeze_lots"],
        indices=tuple(load_table("physical_settlement.toml")["indices"]),
    )


def _by_underlying(
    table: dict[str, list[dict[str, Any]]], read: Callable[[Any], T]
) -> dict[str, DatedSeries[T]]:
    return {underlying: DatedSeries.of(entries, read) for underlying, entries in table.items()}


def _read_bands(bands: list[list[float]]) -> tuple[StrikeBand, ...]:
    return tuple(StrikeBand(float(below), float(step)) for below, step in bands)


def _read_ticks(bands: list[dict[str, str]]) -> tuple[TickBand, ...]:
    return tuple(TickBand(Decimal(one["below"]), Decimal(one["tick"])) for one in bands)


def _read_expiry_rules(entries: Iterable[dict[str, Any]]) -> dict[str, tuple[ExpiryRule, ...]]:
    rules: dict[str, tuple[ExpiryRule, ...]] = {}
    for entry in entries:
        weekday, until = _WEEKDAYS.index(entry["weekday"]), entry.get("until", date.max)
        is_monthly, source = entry["kind"] == "monthly", entry.get("source", "")
        is_confirmed = entry.get("confirmed", True)
        rule = ExpiryRule(is_monthly, weekday, entry["from"], until, source, is_confirmed)
        for underlying in entry["underlyings"]:
            rules[underlying] = (*_cut(rules.get(underlying, ()), rule), rule)
    return rules


def _cut(earlier: Iterable[ExpiryRule], by: ExpiryRule) -> Iterator[ExpiryRule]:
    """Yield rules without the days from which a later stated one of their kind holds."""
    for rule in earlier:
        until = min(rule.until, by.since - timedelta(days=1))
        if rule.is_monthly != by.is_monthly:
            yield rule
        elif rule.since <= until:
            yield replace(rule, until=until)


def _read_square_offs(
    entries: Iterable[dict[str, Any]],
) -> dict[tuple[str, str], DatedSeries[time]]:
    spans: dict[tuple[str, str], list[Span[time]]] = {}
    for entry in entries:
        key = (entry["product"], entry["segment"])
        spans.setdefault(key, []).append(Span.of(entry, entry["value"]))
    return {key: DatedSeries(of_key) for key, of_key in spans.items()}
