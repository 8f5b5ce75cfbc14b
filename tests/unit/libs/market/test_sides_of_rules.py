"""The two sides of dated rules: what holds on the day before a change, and on the day of it."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from libs.market.calendar import IST, Calendar, load_calendar
from libs.market.closing_auction import closing_auction
from libs.market.price_limits import option_price_limits
from libs.market.rulebook import load_rulebook
from libs.market.underlying_charges import Product, underlying_rates
from services.simulator.domain.account.rules import trading_limits

DAY = timedelta(days=1)
INF = Decimal("Infinity")
NEW_YORK = ZoneInfo("America/New_York")

LOTS = [
    ("NIFTY", date(2021, 7, 30), 75, 50),
    ("NIFTY", date(2024, 4, 26), 50, 25),
    ("NIFTY", date(2024, 12, 27), 25, 75),
    ("BANKNIFTY", date(2023, 7, 28), 25, 15),
    ("BANKNIFTY", date(2025, 6, 27), 30, 35),
    ("BANKNIFTY", date(2025, 12, 31), 35, 30),
    ("FINNIFTY", date(2024, 7, 31), 40, 25),
    ("FINNIFTY", date(2025, 12, 31), 65, 60),
    ("MIDCPNIFTY", date(2024, 7, 30), 75, 50),
    ("MIDCPNIFTY", date(2025, 6, 27), 120, 140),
    ("MIDCPNIFTY", date(2025, 12, 31), 140, 120),
    ("BAJAJFINSV", date(2025, 10, 29), 500, 250),
    ("BAJAJFINSV", date(2026, 7, 1), 250, 300),
    ("BEL", date(2025, 10, 29), 2850, 1425),
    ("HINDALCO", date(2025, 10, 29), 1400, 700),
    ("CIPLA", date(2026, 7, 1), 375, 425),
    ("HCLTECH", date(2026, 7, 1), 350, 400),
]
FREEZES = [
    ("BANKNIFTY", date(2025, 7, 1), 900, 600),
    ("BANKNIFTY", date(2025, 9, 1), 600, 900),
    ("FINNIFTY", date(2026, 2, 1), 1200, 1800),
]
SQUARE_OFFS = [
    ("NFO", time(15, 25)),
    ("BFO", time(15, 25)),
    ("NSE", time(15, 20)),
    ("BSE", time(15, 20)),
]
FUTURES_STT = [
    (date(2023, 4, 1), "0.0001", "0.000125"),
    (date(2024, 10, 1), "0.000125", "0.0002"),
    (date(2026, 4, 1), "0.0002", "0.0005"),
]
EXCHANGE_CHARGES: list[tuple[Product, date, str, str]] = [
    ("intraday", date(2023, 4, 1), "0.0000345", "0.0000335"),
    ("delivery", date(2024, 4, 1), "0.0000335", "0.0000332"),
    ("intraday", date(2024, 10, 1), "0.0000332", "0.0000307"),
    ("future", date(2024, 4, 1), "0.00002", "0.0000198"),
    ("future", date(2024, 10, 1), "0.0000198", "0.0000183"),
]
ORDERS: list[tuple[str, date, bool, bool]] = [
    ("requires_market_protection", date(2026, 4, 1), False, True),
    ("option_stop_market", date(2021, 9, 27), True, False),
]
EXPIRIES = [
    ("NIFTY", date(2025, 8, 28), date(2025, 9, 2)),
    ("BANKNIFTY", date(2025, 8, 28), date(2025, 9, 30)),
    ("SENSEX", date(2025, 8, 26), date(2025, 9, 4)),
]


def sides(of: Callable[[date], Any], day: date) -> tuple[Any, Any]:
    """What holds on the day before, and on the day."""
    return of(day - DAY), of(day)


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return load_calendar()


@pytest.mark.parametrize(("underlying", "day", "before", "after"), LOTS)
def test_lots(underlying: str, day: date, before: int, after: int) -> None:
    rulebook = load_rulebook()
    assert sides(lambda on: rulebook.lot_size(underlying, on).value, day) == (before, after)


@pytest.mark.parametrize(("underlying", "day", "before", "after"), FREEZES)
def test_freezes(underlying: str, day: date, before: int, after: int) -> None:
    rulebook = load_rulebook()
    assert sides(lambda on: rulebook.freeze_quantity(underlying, on).value, day) == (before, after)


@pytest.mark.parametrize(("segment", "before"), SQUARE_OFFS)
def test_square_off_of_intraday_products(segment: str, before: time) -> None:
    rulebook = load_rulebook()
    found = sides(lambda on: rulebook.broker_square_off("MIS", on, segment), date(2026, 8, 3))
    assert found == (before, time(15, 10))


@pytest.mark.parametrize("segment", ["NFO", "BFO"])
def test_derivatives_close_ten_minutes_later(calendar: Calendar, segment: str) -> None:
    days = (date(2026, 7, 31), date(2026, 8, 3))  # a Friday and the Monday after it
    closes = [calendar.sessions(segment, day)[-1].closes_at.astimezone(IST).time() for day in days]
    assert closes == [time(15, 30), time(15, 40)]


def test_the_closing_auction_begins() -> None:
    before, after = sides(closing_auction, date(2026, 8, 3))
    assert before is None
    assert after is not None
    assert after.begins == time(15, 15)


def test_limit_price_protection_begins_for_index_options_and_then_for_stocks() -> None:
    def index(on: date) -> Decimal:
        return option_price_limits(on).protection(True).reach(Decimal(100))

    def stock(on: date) -> Decimal:
        return option_price_limits(on).protection(False).reach(Decimal(100))

    assert sides(index, date(2022, 10, 31)) == (INF, Decimal(40))
    assert sides(stock, date(2023, 2, 3)) == (INF, Decimal(40))


@pytest.mark.parametrize(("day", "before", "after"), FUTURES_STT)
def test_tax_on_futures(day: date, before: str, after: str) -> None:
    def rate(on: date) -> Decimal:
        return underlying_rates("future", "NSE", on).value.stt_on_sale

    assert sides(rate, day) == (Decimal(before), Decimal(after))


@pytest.mark.parametrize(("product", "day", "before", "after"), EXCHANGE_CHARGES)
def test_exchange_charges(product: Product, day: date, before: str, after: str) -> None:
    def rate(on: date) -> Decimal:
        return underlying_rates(product, "NSE", on).value.exchange

    assert sides(rate, day) == (Decimal(before), Decimal(after))


def test_the_exchange_charge_of_options_is_split_otherwise_with_the_same_sum() -> None:
    rate = load_rulebook().rates["exchange"]
    before, after = sides(rate.at, date(2026, 3, 1))
    assert (before.value, after.value) == (Decimal("0.0003553"), Decimal("0.0003553"))
    assert (before.source, after.source) == ("NSE/FA/64323", "NSE/FA/73061")


@pytest.mark.parametrize(("name", "day", "before", "after"), ORDERS)
def test_what_an_order_may_be(name: str, day: date, before: bool, after: bool) -> None:
    found = sides(lambda on: getattr(trading_limits(on), name), day)
    assert found == (before, after)


@pytest.mark.parametrize(("underlying", "last", "first"), EXPIRIES)
def test_the_weekday_of_expiries(
    calendar: Calendar, underlying: str, last: date, first: date
) -> None:
    """The last expiry by the old weekday, and the first one by the new, since September 2025."""
    rulebook = load_rulebook()
    expiries = rulebook.expiries(underlying, last, calendar, 2)
    assert [one.date for one in expiries] == [last, first]


def test_mcx_closes_by_the_clock_of_new_york(calendar: Calendar) -> None:
    """At 23:55 in India while New York is on standard time, else at 23:30."""
    day, looked = date(2021, 1, 1), 0
    while day < calendar.last_day:
        sessions = calendar.sessions("MCX", day)
        if sessions and sessions[0].opens_at.astimezone(IST).time() == time(9):
            closes = sessions[-1].closes_at.astimezone(IST).time()
            if closes > time(18):  # not the mornings of half holidays
                in_new_york = datetime.combine(day, time(18), IST).astimezone(NEW_YORK)
                is_standard = not in_new_york.dst()
                assert (day, closes) == (day, time(23, 55) if is_standard else time(23, 30))
                looked += 1
        day += DAY
    assert looked > 1_200
