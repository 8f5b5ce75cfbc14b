"""Which expiry's contracts may be bought now: the preferred one, or why not."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from libs.market.calendar import day_in_india
from libs.market.option_chain import Chain
from libs.market.physical_settlement import PhysicalSettlement, load_physical_settlement
from services.executor.domain.option_market import OptionMarket
from services.executor.domain.policy import ChainFilter, EntryFilter, Numbers, Refusal

_WEEK = timedelta(days=7)


def choose_chain(
    market: OptionMarket,
    underlying: str,
    day: date,
    now_ms: int,
    chain: ChainFilter,
    entry: EntryFilter,
) -> Chain | Refusal:
    """Return the contracts of the preferred expiry, by the listing of the day.

    With `entry.near_expiry` "next" an expiry that may not be bought any more is passed over.
    """
    if not market.calendar.covers(day):
        return Refusal("no_calendar", {"day": str(day), "known_to": str(market.calendar.last_day)})
    if market.day is not None and market.day != day:
        return Refusal("not_listed_today", {"listed_on": str(market.day), "day": str(day)})
    listed = market.expiries(underlying, day)
    if not listed:
        return Refusal("no_chain", {"underlying": underlying})
    settlement = load_physical_settlement()
    for expiry in preferred(listed, chain):
        refusal = _refusal(market, underlying, expiry, now_ms, entry, settlement)
        if refusal is None:
            return market.chain(underlying, expiry)
        if entry.near_expiry == "refuse" or refusal.reason not in _PASSED_OVER:
            return refusal
    return Refusal("more_expiries_needed", _asked_for(listed, chain, entry))


_PASSED_OVER = {"expiry_day", "expiry_is_near", "expiry_is_over", "settled_in_shares"}


def preferred(listed: Sequence[date], chain: ChainFilter) -> Iterator[date]:
    """Yield expiries in the order of preference, no monthly one that may not be the month's last.

    The last one listed of a month is its last if a later month is listed too, or if another week
    would be in the next month.
    """
    for at, expiry in enumerate(listed):
        later = listed[at + 1 :]
        is_followed = any(_month(other) == _month(expiry) for other in later)
        is_last = not is_followed and (bool(later) or _month(expiry + _WEEK) != _month(expiry))
        if chain.expiry == "weekly" or is_last:
            yield expiry


def _month(day: date) -> tuple[int, int]:
    return day.year, day.month


def _asked_for(listed: Sequence[date], chain: ChainFilter, entry: EntryFilter) -> Numbers:
    return {
        "expiry": chain.expiry,
        "listed": float(len(listed)),
        "last_listed": str(listed[-1]),
        "needed": float(chain.expiries_needed + (entry.near_expiry == "next")),
    }


def _refusal(
    market: OptionMarket,
    underlying: str,
    expiry: date,
    now_ms: int,
    entry: EntryFilter,
    settlement: PhysicalSettlement,
) -> Refusal | None:
    numbers: Numbers = {"expiry": str(expiry)}
    if not market.calendar.covers(expiry):
        return Refusal("calendar_ends", {**numbers, "known_to": str(market.calendar.last_day)})
    closes_ms = market.closes_ms(market.exchange_of(underlying), expiry)
    if closes_ms is None:
        return Refusal("expiry_unknown", numbers)
    if closes_ms <= now_ms:
        return Refusal("expiry_is_over", numbers)
    if entry.expiry_day == "refuse" and day_in_india(now_ms) == expiry:
        return Refusal("expiry_day", numbers)
    if closes_ms - entry.before_expiry_ms <= now_ms:
        left = (closes_ms - now_ms) / 60_000
        return Refusal("expiry_is_near", {**numbers, "minutes_left": left})
    return _in_shares(market, underlying, expiry, now_ms, entry, settlement)


def _in_shares(
    market: OptionMarket,
    underlying: str,
    expiry: date,
    now_ms: int,
    entry: EntryFilter,
    settlement: PhysicalSettlement,
) -> Refusal | None:
    """Refuse what is soon settled in shares: on its last day it is left before the close."""
    last = settlement.last_day(underlying, expiry, market.calendar, entry.before_settlement_days)
    exchange = market.exchange_of(underlying)
    closes_ms = None if last is None else market.closes_ms(exchange, last)
    if closes_ms is None or now_ms < closes_ms - entry.before_expiry_ms:
        return None
    return Refusal("settled_in_shares", {"expiry": str(expiry), "last_day": str(last)})
