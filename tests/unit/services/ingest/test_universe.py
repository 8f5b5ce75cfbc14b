"""Which instruments of Kite's dump are subscribed to."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from libs.market.calendar import load_calendar
from libs.market.instruments import Instrument
from libs.market.rulebook import load_rulebook
from services.ingest.domain.universe import Universe, UniverseError
from services.ingest.domain.universe_rules import UniverseRules
from services.ingest.settings import IngestSettings
from services.simulator.domain.market.synthetic import SyntheticMarket

DAY = date(2026, 6, 17)
NAMES = ("SENSEX", "SBIN")
RULES = UniverseRules(("NSE:NIFTY 50", "NSE:SBIN"), expiries=2, near_strikes=2)


@pytest.fixture(scope="module")
def dump() -> Sequence[Instrument]:
    return SyntheticMarket(7, DAY, load_calendar(), load_rulebook()).instruments


@pytest.fixture(scope="module")
def universe(dump: Sequence[Instrument]) -> Universe:
    return Universe(dump, RULES, DAY)


def spots(universe: Universe, dump: Sequence[Instrument]) -> dict[int, float]:
    """A price in the middle of each chain."""
    middle = {}
    for underlying, name in zip(universe.underlyings, ("NIFTY", "SBIN"), strict=True):
        strikes = sorted({one.strike for one in dump if one.name == name and one.is_option})
        middle[underlying.instrument_token] = strikes[len(strikes) // 2]
    return middle


def test_the_chosen_underlyings_and_the_options_of_their_nearest_expiries_are_listed(
    universe: Universe,
) -> None:
    assert [one.tradingsymbol for one in universe.underlyings] == ["NIFTY 50", "SBIN"]
    assert {one.name for one in universe.options} == {"NIFTY", "SBIN"}
    for name in ("NIFTY", "SBIN"):
        assert len({one.expiry for one in universe.options if one.name == name}) == 2


def test_the_given_number_of_strikes_each_side_of_the_money_is_near(
    universe: Universe, dump: Sequence[Instrument]
) -> None:
    near = universe.near(spots(universe, dump))
    assert len(near) == 2 * 2 * 5 * 2  # underlyings, expiries, strikes, calls and puts
    by_token = {one.instrument_token: one for one in universe.options}
    middle = spots(universe, dump)[universe.underlyings[0].instrument_token]
    strikes = {by_token[token].strike for token in near if by_token[token].name == "NIFTY"}
    assert {strike - middle for strike in strikes} == {-100, -50, 0, 50, 100}


@given(spot=st.floats(0, 1e6))
def test_wherever_the_money_is_no_more_than_the_rules_allow_is_near(
    universe: Universe, spot: float
) -> None:
    near = universe.near({universe.underlyings[0].instrument_token: spot})
    assert len(near) <= 2 * 5 * 2
    assert bool(near) == (spot > 0)


def test_held_contracts_are_wanted_however_far_from_the_money(
    universe: Universe, dump: Sequence[Instrument]
) -> None:
    far = universe.options[0].instrument_token
    assert far not in universe.near(spots(universe, dump))
    wanted = universe.wanted(spots(universe, dump), [far])
    assert wanted == universe.underlying_tokens | universe.near(spots(universe, dump)) | {far}


def test_an_underlying_that_the_dump_does_not_hold_is_missing_and_the_others_are_followed(
    dump: Sequence[Instrument],
) -> None:
    universe = Universe(dump, UniverseRules(("NSE:SBIN", "NSE:SBIM")), DAY)
    assert [one.key for one in universe.underlyings] == ["NSE:SBIN"]
    assert {one.name for one in universe.options} == {"SBIN"}
    ((key, reason),) = universe.missing
    assert key == "NSE:SBIM"
    assert reason == ("NSE:SBIM is not in the instrument dump of the day; did you mean 'NSE:SBIN'?")


def test_a_share_that_was_renamed_is_named_as_it_is_listed_now(dump: Sequence[Instrument]) -> None:
    sbin = next(one for one in dump if one.key == "NSE:SBIN")
    renamed = [one for one in dump if one is not sbin] + [replace(sbin, tradingsymbol="STBK")]
    rules, yesterday = UniverseRules(("NSE:ITC", "NSE:SBIN")), {"NSE:SBIN": sbin.instrument_token}
    ((_, reason),) = Universe(renamed, rules, DAY, yesterday).missing
    assert reason == (
        "NSE:SBIN is not in the instrument dump of the day; it is listed as 'NSE:STBK' now"
    )


def test_a_universe_of_which_the_dump_holds_nothing_is_refused_by_name(
    dump: Sequence[Instrument],
) -> None:
    with pytest.raises(UniverseError, match=r"nothing can be followed: NSE:SBIM is .*; NSE:X is"):
        Universe(dump, UniverseRules(("NSE:SBIM", "NSE:X")), DAY)


@pytest.mark.parametrize(
    ("key", "meant"), [("NSE:SBIM", "NSE:SBIN"), ("NSE:NIFTY", "NSE:NIFTY 50")]
)
def test_the_underlying_that_was_probably_meant_is_named(
    dump: Sequence[Instrument], key: str, meant: str
) -> None:
    with pytest.raises(UniverseError, match=f"did you mean '{meant}'"):
        Universe(dump, UniverseRules((key,)), DAY)


def bombay(*names: str) -> list[Instrument]:
    """Underlyings of BSE with a call and a put at BFO, two expiries each."""
    listed = []
    for number, name in enumerate(names, 1):
        token, is_index = number << 8, name == "SENSEX"
        spot = Instrument(
            instrument_token=token + (9 if is_index else 4),
            exchange_token=number,
            tradingsymbol=name,
            name=name,
            last_price=0.0,
            expiry=None,
            strike=0.0,
            tick_size=Decimal("0.05"),
            lot_size=0 if is_index else 1,
            instrument_type="EQ",
            segment="INDICES" if is_index else "BSE",
            exchange="BSE",
        )
        contracts = (
            replace(
                spot,
                instrument_token=(1000 * number + 10 * week + is_put) << 8 | 5,
                tradingsymbol=f"{name}{week}{kind}",
                expiry=DAY + timedelta(days=1 + 7 * week),
                strike=80_000.0,
                lot_size=20,
                instrument_type=kind,
                segment="BFO-OPT",
                exchange="BFO",
            )
            for week in range(2)
            for is_put, kind in enumerate(("CE", "PE"))
        )
        listed += [spot, *contracts]
    return listed


def test_an_index_of_bse_is_listed_with_the_options_of_bfo(dump: Sequence[Instrument]) -> None:
    rules = UniverseRules(("BSE:SENSEX", "NSE:SBIN"), expiries=2)
    assert rules.exchanges == ("BSE", "NSE", "BFO", "NFO")
    universe = Universe([*dump, *bombay("SENSEX", "SBIN")], rules, DAY)
    by_name = {name: [one for one in universe.options if one.name == name] for name in NAMES}
    assert {one.exchange for one in by_name["SENSEX"]} == {"BFO"}
    assert len(by_name["SENSEX"]) == 4
    assert {one.exchange for one in by_name["SBIN"]} == {"NFO"}
    sensex = universe.underlyings[0].instrument_token
    assert len(universe.near({sensex: 80_010.0})) == 4
    assert universe.without_options == ()


def test_an_underlying_without_options_is_named(dump: Sequence[Instrument]) -> None:
    sensex, *_ = bombay("SENSEX")
    universe = Universe([*dump, sensex], UniverseRules(("BSE:SENSEX", "NSE:SBIN")), DAY)
    assert universe.without_options == ("BSE:SENSEX",)


def test_one_underlying_at_two_exchanges_is_refused() -> None:
    with pytest.raises(ValidationError, match="'NSE:SBIN' and 'BSE:SBIN' are one underlying"):
        UniverseRules(("NSE:SBIN", "BSE:SBIN"))


def test_an_exchange_that_is_not_known_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="no exchange is called 'NES'; did you mean 'NSE'"):
        UniverseRules(("NES:SBIN",))


def test_more_than_a_connection_takes_is_refused(dump: Sequence[Instrument]) -> None:
    rules = UniverseRules(("NSE:NIFTY 50", "NSE:SBIN"), near_strikes=50, most=100)
    with pytest.raises(UniverseError, match="810 instruments are more than its most"):
        Universe(dump, rules, DAY)


def test_expiries_that_are_over_are_not_listed(dump: Sequence[Instrument]) -> None:
    later = max(one.expiry for one in dump if one.name == "NIFTY" and one.expiry)
    universe = Universe(dump, UniverseRules(("NSE:NIFTY 50",)), later)
    assert {one.expiry for one in universe.options} == {later}


def test_the_default_universe_is_listed_and_fits(dump: Sequence[Instrument]) -> None:
    universe = Universe(dump, IngestSettings().universe, DAY)
    assert len(universe.underlyings) == 12
    assert universe.options
