"""What the data files say of a day: each rule with its source, and until when it is known."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from libs.market.calendar import Calendar, Hours, SpecialDay
from libs.market.closing_auction import closing_auction
from libs.market.dated import DatedSeries
from libs.market.expiries import ExpiryRule
from libs.market.packaged import load_table
from libs.market.rulebook import Rulebook

AHEAD = timedelta(days=30)
"""What ends within so many days is told."""
SEGMENTS = ("NSE", "NFO", "BSE", "BFO", "MCX")
_LIMITS = {
    "index_price_protection": "index options",
    "stock_price_protection": "stock options",
    "option_stop_gap": "gap of a stop-limit order",
}
_MARGIN_DAYS = "trading days of margin before expiry"
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


@dataclass(frozen=True, slots=True)
class Fact:
    """What holds on a day; `until` is the last day for which it is known, None: no end is stated.

    `since` is None before the first day for which anything is stated.
    """

    topic: str
    name: str
    value: str
    source: str
    since: date | None
    until: date | None
    is_confirmed: bool = True

    def doubt(self, on: date) -> str | None:
        """Return why not to rely on it from a day on: it ends soon, or has no good source."""
        if self.since is None and self.until is not None:
            return f"{self._title}: not known before {self.until + timedelta(days=1)}"
        if self.until is not None and self.until < on:
            return f"{self._title}: known until {self.until}, not since"
        if self.until is not None and self.until <= on + AHEAD:
            return f"{self._title}: known until {self.until} only"
        if not self.is_confirmed:
            return f"{self._title}: {self.value} is not confirmed ({self.source or 'no source'})"
        return None

    def ends_within(self, on: date, days: timedelta = AHEAD) -> bool:
        """Return whether what was known is so no more, or ends within so many days."""
        return self.since is not None and self.until is not None and self.until <= on + days

    @property
    def _title(self) -> str:
        return f"{self.topic}, {self.name}"


def facts_of(on: date, calendar: Calendar, rulebook: Rulebook) -> tuple[Fact, ...]:
    """Return all that is known of a day."""
    return (
        *_sessions(on, calendar),
        *_announced(on, calendar),
        *_auction(on),
        *(fact for name in rulebook.indices for fact in _expiries(name, on, rulebook)),
        *values_of(on, rulebook),
    )


def values_of(on: date, rulebook: Rulebook) -> tuple[Fact, ...]:
    """Return what has a value on a day, apart from days and hours."""
    limits = load_table("trading_limits.toml")
    margin_days = load_table("physical_settlement.toml")["margin_days"]
    changes: DatedSeries[int] = DatedSeries.of(limits["order_modifications"])
    return (
        *_each("lot", rulebook.lots, rulebook, on),
        *_each("freeze quantity", rulebook.freezes, rulebook, on),
        _fact("tick size", "index options", rulebook.option_tick_sizes, on, "₹{}"),
        _fact("tick size", "stock options", rulebook.stock_option_ticks, on, "{}"),
        *(_fact("charges", _words(name), of, on, "{}") for name, of in rulebook.rates.items()),
        *(
            _fact("price protection", said, DatedSeries.of(limits[name]), on, "{}")
            for name, said in _LIMITS.items()
        ),
        _fact("physical settlement", _MARGIN_DAYS, DatedSeries.of(margin_days), on, "{}"),
        _fact("orders", "modifications", changes, on, "at most {}"),
    )


def _sessions(on: date, calendar: Calendar) -> Iterator[Fact]:
    for name in SEGMENTS:
        if not calendar.covers(on):
            yield Fact("sessions", name, "unknown", "", calendar.first_day, calendar.last_day)
            continue
        special, usual = calendar.special_day(name, on), calendar.usual_hours(name, on)
        source = usual.source if special is None else special.source
        since = usual.source_date if special is None else on
        reason = calendar.closed_reason(name, on)
        value = f"closed ({reason})" if reason else _hours(usual.value, special)
        announced = calendar.announced(name, on)
        if announced is not None:
            value, source = f"{value}; {announced.name} at an unknown hour", announced.source
        is_confirmed = usual.is_exact and announced is None
        yield Fact("sessions", name, value, source, since, calendar.last_day, is_confirmed)


def _hours(usual: Hours, special: SpecialDay | None) -> str:
    hours = usual if special is None else special.hours
    text = ", ".join(f"{opens:%H:%M}–{closes:%H:%M}" for opens, closes in hours)
    return text if special is None else f"{text} ({special.name})"


def _announced(on: date, calendar: Calendar) -> Iterator[Fact]:
    """Yield the sessions of the next days whose hours are not known."""
    days = (on + timedelta(days=ahead) for ahead in range(1, AHEAD.days + 1))
    for day in filter(calendar.covers, days):
        one = calendar.announced("NSE", day)
        if one is not None:
            value = f"{one.name}, at an unknown hour"
            yield Fact("sessions", str(day), value, one.source, on, None, is_confirmed=False)


def _auction(on: date) -> Iterator[Fact]:
    series: DatedSeries[Any] = DatedSeries.of(load_table("closing_auction.toml")["auction"])
    known, auction = series.at(on), closing_auction(on)
    if auction is not None:
        value = f"shares with derivatives trade to {auction.begins:%H:%M}"
        since, until = known.source_date, series.known_until(on)
        yield Fact("sessions", "closing auction", value, known.source, since, until)


def _expiries(name: str, on: date, rulebook: Rulebook) -> Iterator[Fact]:
    """Yield the rules that hold; one is known to end where another one of the name follows."""
    rules = rulebook.expiry_rules.get(name, ())
    last = max((rule.until for rule in rules), default=date.max)
    for rule in (one for one in rules if one.since <= on <= one.until):
        until = None if last == date.max else last
        value, confirmed = _weekday(rule), rule.is_confirmed
        yield Fact("expiry", name, value, rule.source, rule.since, until, confirmed)


def _weekday(rule: ExpiryRule) -> str:
    day = _DAYS[rule.weekday]
    return f"last {day} of the month" if rule.is_monthly else f"each {day}"


def _each(
    topic: str, of: dict[str, DatedSeries[int]], rulebook: Rulebook, on: date
) -> Iterator[Fact]:
    """Yield what is known of each index, but not of one that is not listed yet."""
    for name in rulebook.indices:
        lots = rulebook.lots.get(name)
        if name in of and lots is not None and lots.has_begun(on):
            yield _fact(topic, name, of[name], on, "{} units")


def _fact(topic: str, name: str, series: DatedSeries[Any], on: date, shown: str) -> Fact:
    known, until = series.at(on), series.known_until(on)
    since = known.source_date if series.has_begun(on) else None
    is_confirmed = known.is_exact or (until is not None and until < on)
    value = shown.format(_shown(known.value))
    return Fact(topic, name, value, known.source, since, until, is_confirmed)


def _shown(value: Any) -> str:
    if isinstance(value, dict) and "boundary" in value:
        if Decimal(value["rupees"]).is_infinite():
            return "no limit"
        return f"₹{value['rupees']} up to ₹{value['boundary']}, above {value['percent']} %"
    if isinstance(value, tuple):
        return ", else ".join(str(one) for one in value)
    return str(value)


def _words(name: str) -> str:
    return name.replace("_", " ")
