import gzip
from collections.abc import Callable
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.calendar import Calendar, load_calendar
from libs.market.dump import read_dump
from libs.market.instruments import Catalog
from libs.market.packaged import load_table
from libs.market.rulebook import Expiry, Known, Rulebook, RulebookError, load_rulebook

DUMP_DAY = date(2025, 10, 8)
NOT_AT_NSE_THEN = {"NIFTYFPI", "TMPV", "SENSEX", "BANKEX"}
INDICES = ("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50")


@pytest.fixture(scope="module")
def dump(recorded: Callable[[str], Path]) -> Catalog:
    data = gzip.decompress(recorded("instruments/NFO_20251008.csv.gz").read_bytes())
    return Catalog(read_dump(data, "NFO_20251008.csv").instruments)


@pytest.mark.parametrize(
    ("underlying", "on", "lot"),
    [
        ("NIFTY", date(2021, 6, 9), 75),
        ("NIFTY", date(2022, 1, 3), 50),
        ("NIFTY", date(2024, 5, 2), 25),
        ("NIFTY", date(2025, 8, 29), 75),
        ("NIFTY", date(2026, 8, 20), 65),
        ("BANKNIFTY", date(2021, 6, 9), 25),
        ("BANKNIFTY", date(2023, 8, 1), 15),
        ("BANKNIFTY", date(2025, 3, 3), 30),
        ("BANKNIFTY", date(2025, 10, 8), 35),
        ("BANKNIFTY", date(2026, 2, 2), 30),
        ("FINNIFTY", date(2026, 2, 2), 60),
        ("MIDCPNIFTY", date(2026, 2, 2), 120),
        ("RELIANCE", date(2021, 6, 9), 250),
        ("SBIN", date(2021, 6, 9), 1500),
    ],
)
def test_lots_follow_the_circulars(rulebook: Rulebook, underlying: str, on: date, lot: int) -> None:
    known = rulebook.lot_size(underlying, on)
    assert (known.value, known.is_exact) == (lot, True)


def test_a_lot_between_two_known_days_is_the_nearer_one_and_says_so(rulebook: Rulebook) -> None:
    assert rulebook.lot_size("RELIANCE", date(2021, 7, 30)) == Known(250, False, date(2021, 4, 30))
    assert rulebook.lot_size("RELIANCE", date(2025, 9, 30)) == Known(500, False, DUMP_DAY)


def test_lots_agree_with_a_real_dump(rulebook: Rulebook, dump: Catalog) -> None:
    known = {name: rulebook.lot_size(name, DUMP_DAY) for name in rulebook.lots}
    listed = {name: {i.lot_size for i in dump.options(name)} for name in known}
    assert {name for name, lots in listed.items() if not lots} == NOT_AT_NSE_THEN
    there = {name: lot for name, lot in known.items() if name not in NOT_AT_NSE_THEN}
    assert all(lot.is_exact and {lot.value} == listed[name] for name, lot in there.items())


def test_an_unknown_underlying_is_refused(rulebook: Rulebook, calendar: Calendar) -> None:
    with pytest.raises(RulebookError, match="no lot size is known for NOSUCH"):
        rulebook.lot_size("NOSUCH", DUMP_DAY)
    with pytest.raises(RulebookError, match="NOSUCH"):
        rulebook.freeze_quantity("NOSUCH", DUMP_DAY)
    with pytest.raises(RulebookError, match="NOSUCH"):
        rulebook.expiries("NOSUCH", DUMP_DAY, calendar, 1)
    with pytest.raises(RulebookError, match="NOSUCH"):
        rulebook.strike_step("NOSUCH", DUMP_DAY, 100)


@pytest.mark.parametrize(
    ("underlying", "on", "quantity"),
    [
        ("NIFTY", date(2026, 2, 2), 1800),
        ("BANKNIFTY", date(2025, 8, 1), 600),
        ("BANKNIFTY", date(2026, 2, 2), 600),
        ("FINNIFTY", date(2026, 2, 2), 1800),
        ("MIDCPNIFTY", date(2026, 2, 2), 2800),
    ],
)
def test_freeze_quantities_follow_the_circulars(
    rulebook: Rulebook, underlying: str, on: date, quantity: int
) -> None:
    known = rulebook.freeze_quantity(underlying, on)
    assert (known.value, known.is_exact) == (quantity, True)


def test_a_stocks_freeze_quantity_is_a_cautious_number_of_lots(rulebook: Rulebook) -> None:
    known = rulebook.freeze_quantity("RELIANCE", DUMP_DAY)
    assert (known.value, known.is_exact) == (10_000, False)


@pytest.mark.parametrize("underlying", [*INDICES, "RELIANCE", "M&M"])
def test_expiries_by_rule_agree_with_a_real_dump(
    rulebook: Rulebook, dump: Catalog, calendar: Calendar, underlying: str
) -> None:
    listed = dump.expiries(underlying)
    count = 5 if underlying == "NIFTY" else 3
    by_rule = rulebook.expiries(underlying, DUMP_DAY, calendar, count)
    assert tuple(expiry.date for expiry in by_rule) == listed[:count]


@pytest.mark.parametrize(
    ("underlying", "on", "expected"),
    [
        ("NIFTY", date(2021, 6, 9), [(date(2021, 6, 10), False), (date(2021, 6, 17), False)]),
        ("NIFTY", date(2025, 8, 28), [(date(2025, 8, 28), True), (date(2025, 9, 2), False)]),
        ("NIFTY", date(2025, 8, 29), [(date(2025, 9, 2), False), (date(2025, 9, 9), False)]),
        ("NIFTY", date(2025, 10, 15), [(date(2025, 10, 20), False), (date(2025, 10, 28), True)]),
        ("BANKNIFTY", date(2023, 9, 1), [(date(2023, 9, 6), False), (date(2023, 9, 13), False)]),
        ("BANKNIFTY", date(2023, 9, 25), [(date(2023, 9, 28), True), (date(2023, 10, 4), False)]),
        ("BANKNIFTY", date(2024, 3, 21), [(date(2024, 3, 27), True), (date(2024, 4, 3), False)]),
        (
            "BANKNIFTY",
            date(2024, 11, 11),
            [(date(2024, 11, 13), False), (date(2024, 11, 27), True)],
        ),
        ("FINNIFTY", date(2025, 1, 2), [(date(2025, 1, 30), True), (date(2025, 2, 27), True)]),
        ("RELIANCE", date(2021, 6, 9), [(date(2021, 6, 24), True), (date(2021, 7, 29), True)]),
        ("RELIANCE", date(2025, 8, 29), [(date(2025, 9, 30), True), (date(2025, 10, 28), True)]),
    ],
)
def test_expiries_follow_the_weekday_of_their_time(
    rulebook: Rulebook,
    calendar: Calendar,
    underlying: str,
    on: date,
    expected: list[tuple[date, bool]],
) -> None:
    assert rulebook.expiries(underlying, on, calendar, 2) == [Expiry(*e) for e in expected]


def test_expiries_go_on_beyond_the_known_calendar(rulebook: Rulebook, calendar: Calendar) -> None:
    by_rule = rulebook.expiries("NIFTY", date(2026, 12, 28), calendar, 3)
    assert [e.date for e in by_rule] == [date(2026, 12, 29), date(2027, 1, 5), date(2027, 1, 12)]


@given(
    st.sampled_from(["NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "RELIANCE"]),
    st.dates(date(2022, 2, 1), date(2026, 10, 1)),
    st.integers(0, 8),
)
def test_expiries_are_ordered_trading_days_from_the_day_on(
    underlying: str, on: date, count: int
) -> None:
    calendar = load_calendar()
    dates = [e.date for e in load_rulebook().expiries(underlying, on, calendar, count)]
    known = [day for day in dates if calendar.covers(day)]
    assert len(dates) == count
    assert dates == sorted(set(dates))
    assert all(day >= on and calendar.is_settlement_day("NFO", day) for day in known)


@pytest.mark.parametrize(
    ("underlying", "price", "step"),
    [
        ("NIFTY", 25_000, 50),
        ("BANKNIFTY", 55_000, 100),
        ("MIDCPNIFTY", 13_000, 25),
        ("TATASTEEL", 170, 2.5),
        ("RELIANCE", 1_150, 10),
        ("TCS", 3_000, 50),
        ("MARUTI", 16_000, 250),
        ("MARUTI", 10_000_000, 500),
    ],
)
def test_strike_steps_grow_with_the_price(
    rulebook: Rulebook, underlying: str, price: float, step: float
) -> None:
    assert rulebook.strike_step(underlying, DUMP_DAY, price) == step


def test_options_move_in_steps_of_five_paise(rulebook: Rulebook) -> None:
    assert rulebook.option_tick_size(DUMP_DAY) == Decimal("0.05")


@pytest.mark.parametrize(
    ("on", "stt", "exchange"),
    [
        (date(2021, 6, 9), "0.0005", "0.00053"),
        (date(2023, 3, 31), "0.0005", "0.00053"),
        (date(2023, 4, 1), "0.000625", "0.000505"),
        (date(2024, 3, 31), "0.000625", "0.000505"),
        (date(2024, 4, 1), "0.000625", "0.0005"),
        (date(2024, 9, 30), "0.000625", "0.0005"),
        (date(2024, 10, 1), "0.001", "0.0003553"),
        (date(2026, 3, 31), "0.001", "0.0003553"),
        (date(2026, 4, 1), "0.0015", "0.0003553"),
    ],
)
def test_rates_change_on_their_day(rulebook: Rulebook, on: date, stt: str, exchange: str) -> None:
    known = rulebook.charges(on)
    assert (known.value.stt_on_sale, known.value.exchange) == (Decimal(stt), Decimal(exchange))
    assert known.is_exact


@pytest.mark.parametrize(
    ("underlying", "on", "quantity"),
    [
        ("BANKNIFTY", date(2025, 8, 31), 600),
        ("BANKNIFTY", date(2025, 9, 1), 900),
        ("BANKNIFTY", date(2025, 11, 3), 600),
        ("FINNIFTY", date(2025, 11, 30), 1800),
        ("FINNIFTY", date(2025, 12, 1), 1200),
        ("FINNIFTY", date(2026, 1, 31), 1200),
        ("FINNIFTY", date(2026, 3, 1), 1800),
        ("FINNIFTY", date(2026, 3, 2), 1200),
        ("FINNIFTY", date(2026, 3, 31), 1200),
        ("FINNIFTY", date(2026, 4, 1), 1800),
        ("BANKNIFTY", date(2026, 3, 31), 600),
        ("BANKNIFTY", date(2026, 4, 1), 900),
        ("BANKNIFTY", date(2026, 6, 30), 900),
        ("BANKNIFTY", date(2026, 7, 1), 600),
        ("NIFTYFPI", date(2026, 8, 12), 8500),
        ("NIFTY", date(2026, 8, 31), 1800),
    ],
)
def test_a_freeze_quantity_changes_on_its_day(
    rulebook: Rulebook, underlying: str, on: date, quantity: int
) -> None:
    known = rulebook.freeze_quantity(underlying, on)
    assert (known.value, known.is_exact) == (quantity, True)
    assert known.source.startswith("NSE/FAOP/")


@pytest.mark.parametrize(
    ("underlying", "on", "quantity"),
    [
        ("BANKNIFTY", date(2025, 10, 8), 900),
        ("NIFTY", date(2025, 11, 2), 1800),
        ("BANKNIFTY", date(2026, 9, 1), 600),
        ("SENSEX", date(2026, 6, 17), 1000),
    ],
)
def test_a_freeze_quantity_that_no_circular_states_goes_on_and_says_so(
    rulebook: Rulebook, underlying: str, on: date, quantity: int
) -> None:
    known = rulebook.freeze_quantity(underlying, on)
    assert (known.value, known.is_exact) == (quantity, False)


@pytest.mark.parametrize(
    ("underlying", "day", "before", "lot"),
    [
        ("HDFCBANK", date(2025, 10, 29), 1100, 550),
        ("HDFCBANK", date(2026, 7, 1), 550, 650),
        ("ADANIENT", date(2025, 11, 17), 300, 309),
        ("EICHERMOT", date(2025, 12, 31), 175, 100),
        ("KOTAKBANK", date(2026, 1, 14), 400, 2000),
        ("TATASTEEL", date(2026, 4, 29), 5500, 2750),
        ("TRENT", date(2026, 6, 4), 100, 150),
        ("TRENT", date(2026, 7, 1), 150, 225),
        ("NIFTY", date(2025, 12, 31), 75, 65),
    ],
)
def test_a_lot_changes_on_its_day(
    rulebook: Rulebook, underlying: str, day: date, before: int, lot: int
) -> None:
    lots = [rulebook.lot_size(underlying, one) for one in (day - timedelta(days=1), day)]
    assert [(one.value, one.is_exact) for one in lots] == [(before, True), (lot, True)]


@pytest.mark.parametrize(("on", "is_exact"), [(date(2026, 6, 30), True), (date(2026, 7, 1), False)])
def test_a_lot_of_the_unread_annexures_is_not_known_from_july(
    rulebook: Rulebook, on: date, is_exact: bool
) -> None:
    known = rulebook.lot_size("ITC", on)
    assert (known.value, known.is_exact) == (1600, is_exact)


@pytest.mark.parametrize(
    ("underlying", "on", "price", "tick"),
    [
        ("ONGC", date(2025, 11, 2), 249.0, "0.05"),
        ("ONGC", date(2025, 11, 3), 249.95, "0.01"),
        ("ONGC", date(2025, 11, 3), 250.0, "0.05"),
        ("NIFTY", date(2025, 11, 3), 100.0, "0.05"),
    ],
)
def test_the_tick_of_a_stock_option_follows_the_stocks_price(
    rulebook: Rulebook, underlying: str, on: date, price: float, tick: str
) -> None:
    assert rulebook.tick_size(underlying, on, price) == Decimal(tick)


def test_tax_on_exercise_changes_on_its_day(rulebook: Rulebook) -> None:
    rates = rulebook.rates["stt_on_exercise"]
    days = (date(2026, 3, 31), date(2026, 4, 1))
    assert [rates.at(day).value for day in days] == [Decimal("0.00125"), Decimal("0.0015")]


def test_bses_index_options_expire_on_thursday_since_september_2025(
    rulebook: Rulebook, calendar: Calendar
) -> None:
    before = rulebook.expiries("SENSEX", date(2025, 8, 25), calendar, 3)
    assert [one.date.day for one in before] == [26, 4, 11]
    moved = rulebook.expiries("BANKEX", date(2026, 5, 20), calendar, 1)
    assert [one.date for one in moved] == [date(2026, 5, 27)]


def test_rates_before_the_first_known_are_the_nearest_and_say_so(rulebook: Rulebook) -> None:
    known = rulebook.charges(date(2020, 12, 31))
    assert known.value == rulebook.charges(date(2021, 1, 1)).value
    assert not known.is_exact


@pytest.mark.parametrize(
    ("product", "segment", "at"),
    [
        ("MIS", "NFO", time(15, 25)),
        ("MIS", "BFO", time(15, 25)),
        ("MIS", "NSE", time(15, 20)),
        ("MIS", "BSE", time(15, 20)),
        ("NRML", "NFO", None),
    ],
)
def test_the_broker_squares_off_intraday_products_only(
    rulebook: Rulebook, product: str, segment: str, at: time | None
) -> None:
    assert rulebook.broker_square_off(product, DUMP_DAY, segment) == at


@pytest.mark.parametrize(
    "name", ["aliases.toml", "calendar.toml", "charges.toml", "contracts.toml", "lots.toml"]
)
def test_every_data_file_is_packaged(name: str) -> None:
    assert load_table(name)
