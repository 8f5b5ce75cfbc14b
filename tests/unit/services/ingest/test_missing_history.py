"""Which candles are asked for: those that are neither stored nor known to be missing."""

from datetime import date, datetime, time

import pytest

from libs.market.calendar import IST, load_calendar
from libs.market.instruments import Instrument
from services.ingest.domain.history import HistoryRules
from services.ingest.domain.missing_history import Ask, Kept, KeptDay, Tally, Window, series_of
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE

FRIDAY, MONDAY, TUESDAY, WEDNESDAY = (date(2026, 6, day) for day in (12, 15, 16, 17))
SBIN = next(one.instrument() for one in DEFAULT_UNIVERSE if one.tradingsymbol == "SBIN")
NIFTY = next(one.instrument() for one in DEFAULT_UNIVERSE if one.tradingsymbol == "NIFTY 50")
WHOLE = KeptDay(stored=25, had=25, asked=1)


def ms(day: date, at: time) -> int:
    return round(datetime.combine(day, at, IST).timestamp() * 1000)


def window(
    now: time = time(8, 30), day: date = WEDNESDAY, days: int = 5, intervals: str = "15m"
) -> Window:
    rules = HistoryRules(days, tuple(intervals.split()))  # type: ignore[arg-type]
    return Window(rules, day, ms(day, now), load_calendar())


def asked(asks: list[Ask]) -> list[tuple[str, str, list[date]]]:
    return [(one.instrument.tradingsymbol, one.interval, list(one.days)) for one in asks]


def kept(**days: KeptDay) -> Kept:
    named = {"friday": FRIDAY, "monday": MONDAY, "tuesday": TUESDAY, "wednesday": WEDNESDAY}
    return {series_of(SBIN, "15m"): {named[name]: one for name, one in days.items()}}


def asks(**days: KeptDay) -> list[list[date]]:
    return [days for _, _, days in asked(window().asks([SBIN], kept(**days)))]


def test_without_anything_stored_all_trading_days_are_asked_for_at_once() -> None:
    made = window(intervals="5m 15m").asks([SBIN, NIFTY], {})
    days = [FRIDAY, MONDAY, TUESDAY]
    assert asked(made) == [
        (symbol, interval, days) for symbol in ("SBIN", "NIFTY 50") for interval in ("5m", "15m")
    ]
    assert made[0].since_ms == ms(FRIDAY, time())
    assert made[0].until_ms == ms(WEDNESDAY, time())


def test_days_that_are_stored_whole_are_not_asked_for() -> None:
    assert asks(friday=WHOLE, monday=WHOLE) == [[TUESDAY]]
    assert asks(friday=WHOLE, monday=WHOLE, tuesday=WHOLE) == []


@pytest.mark.parametrize(
    ("friday", "is_asked"),
    [
        (KeptDay(stored=20, had=25, asked=1), True),  # published, but not stored
        (KeptDay(stored=25), True),  # of another market, or stored before it was asked for
        (KeptDay(stored=10, had=10, asked=0), True),  # asked for on that day only
        (KeptDay(stored=24, had=24, asked=1), True),  # short: once more
        (KeptDay(stored=24, had=24, asked=2), False),  # the broker has no more
        (KeptDay(stored=0, had=0, asked=2), False),  # not listed yet
    ],
)
def test_a_short_day_is_asked_for_twice_and_then_never_again(
    friday: KeptDay, is_asked: bool
) -> None:
    assert asks(friday=friday, monday=WHOLE, tuesday=WHOLE) == ([[FRIDAY]] if is_asked else [])


def test_days_that_lie_far_apart_are_asked_for_apart() -> None:
    wide = window(days=90)
    days = wide.days(SBIN)
    all_but_ends = dict.fromkeys(days[1:-1], WHOLE)
    made = wide.asks([SBIN], {series_of(SBIN, "15m"): all_but_ends})
    assert [list(one.days) for one in made] == [[days[0]], [days[-1]]]


def test_in_the_session_todays_closed_candles_are_asked_for_too() -> None:
    (made,) = window(now=time(11, 20)).asks([SBIN], kept(friday=WHOLE, monday=WHOLE, tuesday=WHOLE))
    assert list(made.days) == [WEDNESDAY]
    assert (made.since_ms, made.until_ms) == (ms(WEDNESDAY, time()), ms(WEDNESDAY, time(11, 20)))
    assert window(now=time(11, 20)).expected(SBIN, "15m", WEDNESDAY) == 8
    assert (
        window(now=time(9, 15)).asks([SBIN], kept(friday=WHOLE, monday=WHOLE, tuesday=WHOLE)) == []
    )


@pytest.mark.parametrize(
    ("day", "instrument", "expected"),
    [
        (date(2026, 7, 31), SBIN, 25),
        (date(2026, 8, 3), SBIN, 24),  # its last quarter of an hour is the closing auction
        (date(2026, 8, 3), NIFTY, 25),
    ],
)
def test_a_day_has_as_many_candles_as_the_calendar_says(
    day: date, instrument: Instrument, expected: int
) -> None:
    later = window(day=date(2026, 8, 5))
    assert later.expected(instrument, "15m", day) == expected
    assert later.expected(instrument, "day", day) == 1


def tally(**days: KeptDay) -> Tally:
    return Tally(window(), [SBIN], kept(**days))


def test_the_candles_that_will_be_stored_are_counted_once() -> None:
    counted = tally(friday=WHOLE, monday=KeptDay(stored=20, had=20, asked=1))
    (ask,) = window().asks([SBIN], kept(friday=WHOLE, monday=KeptDay(stored=20)))
    counted.note(ask, {MONDAY: 25, TUESDAY: 24})
    assert counted.candles == 25 + 25 + 24
    assert counted.days == (FRIDAY, MONDAY, TUESDAY)
    assert list(counted.gaps()) == ["2026-06-16: 1 of 25 15m candles are missing"]


def test_days_without_candles_are_reported_as_spans() -> None:
    assert list(tally().gaps()) == ["2026-06-12 to 2026-06-16: no candles"]
    assert list(tally(monday=WHOLE).gaps()) == [
        "2026-06-12: no candles",
        "2026-06-16: no candles",
    ]
