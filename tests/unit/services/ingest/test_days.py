"""Which day is opened next, and when."""

import asyncio
from datetime import date, datetime, timedelta

import pytest

from libs.broker.errors import BrokerError, SessionExpired
from libs.market.calendar import IST, load_calendar
from libs.market.market_hours import USUAL, MarketHours
from libs.runtime.health import Waiting
from services.ingest.days import exchange_days, retry_until_open, wall_days

FRIDAY, MONDAY = date(2026, 6, 19), date(2026, 6, 22)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=IST)


class Wall:
    """A clock that only advances by sleeping."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def now_ms(self) -> int:
        return int(self.now.timestamp() * 1000)

    async def sleep(self, seconds: float) -> None:
        assert 0 < seconds <= 60
        self.now += timedelta(seconds=seconds)


def woken(
    now: datetime, played: date | None = None, exchanges: tuple[str, ...] = USUAL
) -> datetime:
    wall = Wall(now)
    asyncio.run(
        wall_days(MarketHours(load_calendar(), exchanges), wall.now_ms, wall.sleep)(
            played, Waiting()
        )
    )
    return wall.now


@pytest.mark.parametrize(
    ("now", "played", "expected"),
    [
        (at(FRIDAY, 7), None, at(FRIDAY, 8, 30)),
        (at(FRIDAY, 9), None, at(FRIDAY, 9)),
        (at(FRIDAY, 12), None, at(FRIDAY, 12)),
        (at(FRIDAY, 15, 29), None, at(FRIDAY, 15, 29)),
        (at(FRIDAY, 12), FRIDAY, at(MONDAY, 8, 30)),
        (at(FRIDAY, 15, 30), None, at(MONDAY, 8, 30)),
        (at(date(2026, 6, 20), 12), FRIDAY, at(MONDAY, 8, 30)),
        (at(date(2026, 1, 26), 10), None, at(date(2026, 1, 27), 8, 30)),
    ],
)
def test_a_day_is_opened_early_and_one_that_is_over_or_closed_gives_way(
    now: datetime, played: date | None, expected: datetime
) -> None:
    assert woken(now, played) == expected


CHRISTMAS_EVE, HOLI = date(2026, 12, 24), date(2026, 3, 3)


@pytest.mark.parametrize(
    ("now", "played", "expected"),
    [
        (at(FRIDAY, 7), None, at(FRIDAY, 8, 30)),  # MCX opens at 09:00, the dump is there by then
        (at(FRIDAY, 16), None, at(FRIDAY, 16)),
        (at(FRIDAY, 23, 29), None, at(FRIDAY, 23, 29)),
        (at(FRIDAY, 23, 30), None, at(MONDAY, 8, 30)),
        (at(CHRISTMAS_EVE, 23, 54), None, at(CHRISTMAS_EVE, 23, 54)),  # US winter time
        (at(HOLI, 9), None, at(HOLI, 16, 15)),  # shares are closed, MCX has its evening
        (at(date(2026, 10, 2), 9), None, at(date(2026, 10, 5), 8, 30)),  # closed in the evening too
    ],
)
def test_with_commodities_a_day_begins_and_ends_with_mcx(
    now: datetime, played: date | None, expected: datetime
) -> None:
    assert woken(now, played, ("NSE", "MCX", "NFO")) == expected


@pytest.mark.parametrize("now", [at(date(2026, 12, 31), 16), at(date(2027, 1, 5), 10)])
def test_after_the_calendar_it_waits_and_says_what_to_do(now: datetime) -> None:
    wall, waiting, waited_for = Wall(now), Waiting(), list[str]()

    async def sleep(seconds: float) -> None:
        await wall.sleep(seconds)
        waited_for.append(waiting.reason)
        if len(waited_for) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(wall_days(MarketHours(load_calendar()), wall.now_ms, sleep)(None, waiting))
    wanted = (
        "a calendar after 2026-12-31: add calendar-YEAR.toml to the folder of your own rules "
        "(rules.folder), then start again"
    )
    assert waited_for == 3 * [wanted]


def test_an_exchange_is_polled_until_it_has_begun_another_day() -> None:
    days = [FRIDAY, FRIDAY, MONDAY]

    class Exchange:
        async def today(self) -> date:
            return days.pop(0)

    waiting, waited_for = Waiting(), list[str]()

    async def sleep(seconds: float) -> None:
        waited_for.append(waiting.reason)

    asyncio.run(exchange_days(Exchange(), sleep)(FRIDAY, waiting))
    assert waited_for == 2 * ["the next trading day of the simulated exchange"]
    assert waiting.reason == ""


def test_while_it_waits_for_a_day_it_says_which_and_when_the_market_opens() -> None:
    wall, waiting, waited_for = Wall(at(FRIDAY, 16)), Waiting(), set[str]()

    async def sleep(seconds: float) -> None:
        waited_for.add(waiting.reason)
        await wall.sleep(seconds)

    asyncio.run(wall_days(MarketHours(load_calendar()), wall.now_ms, sleep)(None, waiting))
    assert waited_for == {"the next trading day (Monday 2026-06-22 09:15 in India)"}
    assert waiting.reason == ""


class Busy(BrokerError):
    is_retriable = True


def attempted(errors: list[Exception]) -> list[str]:
    """Return what was waited for before success; during an attempt it is what it was."""
    waiting, slept = Waiting(), [""]

    async def attempt() -> None:
        assert waiting.reason == slept[-1]
        if errors:
            raise errors.pop(0)

    async def sleep(seconds: float) -> None:
        slept.append(waiting.reason)

    asyncio.run(retry_until_open(attempt, sleep, waiting))
    assert waiting.reason == ""
    return slept[1:]


def test_opening_a_day_is_retried_and_says_what_it_waits_for() -> None:
    login = "a login at the broker (over)"
    errors: list[Exception] = [SessionExpired("over"), Busy("429"), SessionExpired("over")]
    assert attempted(errors) == [login, "an answer of the broker (429)", login]


def test_an_error_that_is_not_retriable_is_raised() -> None:
    with pytest.raises(BrokerError, match="no such account"):
        attempted([BrokerError("no such account")])
