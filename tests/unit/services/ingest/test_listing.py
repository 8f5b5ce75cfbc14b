"""What is told of the day's instruments, against those of the day before."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from libs.market.instruments import Instrument
from services.ingest.domain.listing import PreviousListing, changes_of, listed
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE
from tests.unit.services.ingest.contracts import JUNE, futures

NEAR, FAR, FURTHER = date(2025, 10, 14), date(2025, 10, 28), date(2025, 11, 4)
DAY = date(2025, 10, 13)
CALL = Instrument(
    instrument_token=1,
    exchange_token=0,
    tradingsymbol="",
    name="NIFTY",
    last_price=0.0,
    expiry=NEAR,
    strike=0.0,
    tick_size=Decimal("0.05"),
    lot_size=75,
    instrument_type="CE",
    segment="NFO-OPT",
    exchange="NFO",
)
SBIN = next(spec.instrument() for spec in DEFAULT_UNIVERSE if spec.tradingsymbol == "SBIN")


def make_option(token: int, strike: float = 25_000, expiry: date = NEAR) -> Instrument:
    symbol = f"NIFTY {expiry} {strike}"
    return replace(CALL, instrument_token=token, tradingsymbol=symbol, strike=strike, expiry=expiry)


def test_what_stays_as_it_is_is_not_told() -> None:
    both = [SBIN, make_option(1, expiry=NEAR)]
    assert changes_of(both, [replace(one, instrument_token=9) for one in both], DAY) == ()


def test_lot_tick_and_name_of_a_share_are_told_a_line_each() -> None:
    now = replace(SBIN, lot_size=SBIN.lot_size + 1, tick_size=Decimal("0.5"), name="STATE BANK")
    assert changes_of([SBIN], [now], DAY) == (
        f"NSE:SBIN: lot_size {SBIN.lot_size} → {SBIN.lot_size + 1}",
        f"NSE:SBIN: tick_size {SBIN.tick_size} → 0.5",
        f"NSE:SBIN: name {SBIN.name} → STATE BANK",
    )


def test_options_that_change_alike_are_one_line_for_each_expiry() -> None:
    before = [
        make_option(1, 25_000, expiry=NEAR),
        make_option(2, 25_100, expiry=NEAR),
        make_option(3, 25_000, expiry=FAR),
    ]
    lot = before[0].lot_size
    now = [replace(one, lot_size=65) for one in before]
    assert changes_of(before, now, DAY) == (
        f"options NFO:NIFTY of 2025-10-14: lot_size {lot} → 65 (2 contracts)",
        f"options NFO:NIFTY of 2025-10-28: lot_size {lot} → 65",
    )


def test_contracts_that_are_no_longer_listed_are_told_but_not_those_that_expired() -> None:
    expired, gone, stays = (
        make_option(1, expiry=NEAR),
        make_option(2, expiry=FAR),
        make_option(3, 26_000, expiry=FAR),
    )
    before, after_expiry = [expired, gone, stays], NEAR + timedelta(days=1)
    assert changes_of(before, [stays], after_expiry) == (
        "options NFO:NIFTY of 2025-10-28: no longer listed",
    )


def test_expiries_beyond_those_that_are_followed_now_are_not_told() -> None:
    near, beyond = make_option(1, expiry=NEAR), make_option(2, expiry=FURTHER)
    assert changes_of([near, beyond], [near], DAY) == ()


def test_an_underlying_that_is_not_followed_any_more_is_no_change() -> None:
    assert changes_of([SBIN, make_option(1, expiry=NEAR)], [], DAY) == ()


def test_a_future_that_rolls_is_told_with_the_one_that_is_near_now() -> None:
    june, july = futures("NFO", "NIFTY")[:2]
    before = [june, make_option(1, expiry=july.expiry or FAR)]
    assert changes_of(before, [july, before[1]], JUNE - timedelta(days=2)) == (
        f"{june.key}: the near month is {july.tradingsymbol} now",
    )


def test_a_future_that_is_not_listed_before_its_expiry_is_told() -> None:
    june, july, august = futures("NFO", "NIFTY")
    now = [june, august]
    assert changes_of([june, july], now, DAY) == (f"{july.key}: no longer listed",)
    assert changes_of([june, july], [june], DAY) == ()


def test_the_month_of_a_future_does_not_ask_for_its_options() -> None:
    june, option = futures("NFO", "NIFTY")[0], make_option(1, expiry=FURTHER)
    weekly = make_option(2, expiry=NEAR)
    assert changes_of([june, option, weekly], [june, weekly], DAY) == ()


def test_the_last_earlier_day_counts_alone() -> None:
    before = PreviousListing(DAY)
    days = (DAY - timedelta(days=3), DAY - timedelta(days=1), DAY - timedelta(days=2), DAY)
    for number, day in enumerate(days, 1):
        before.note(listed(make_option(number, 25_000 + number, expiry=NEAR), day, 0))
    assert [one.instrument_token for one in before.instruments] == [2]
