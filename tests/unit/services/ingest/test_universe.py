"""Which instruments of Kite's dump are subscribed to."""

from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.calendar import load_calendar
from libs.market.instruments import Instrument
from libs.market.rulebook import load_rulebook
from services.ingest.domain.universe import Universe, UniverseError, UniverseRules
from services.ingest.settings import IngestSettings
from services.simulator.domain.market.synthetic import SyntheticMarket

DAY = date(2026, 6, 17)
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


def test_an_underlying_that_the_dump_does_not_hold_is_named(dump: Sequence[Instrument]) -> None:
    with pytest.raises(UniverseError, match="NSE:SBIM is not in the instrument dump"):
        Universe(dump, UniverseRules(("NSE:SBIN", "NSE:SBIM")), DAY)


@pytest.mark.parametrize(
    ("key", "meant"), [("NSE:SBIM", "NSE:SBIN"), ("NSE:NIFTY", "NSE:NIFTY 50")]
)
def test_the_underlying_that_was_probably_meant_is_named(
    dump: Sequence[Instrument], key: str, meant: str
) -> None:
    with pytest.raises(UniverseError, match=f"did you mean '{meant}'"):
        Universe(dump, UniverseRules((key,)), DAY)


def test_more_than_a_connection_takes_is_refused(dump: Sequence[Instrument]) -> None:
    rules = UniverseRules(("NSE:NIFTY 50", "NSE:SBIN"), near_strikes=50, most=100)
    with pytest.raises(UniverseError, match="810 instruments are more than a connection's"):
        Universe(dump, rules, DAY)


def test_expiries_that_are_over_are_not_listed(dump: Sequence[Instrument]) -> None:
    later = max(one.expiry for one in dump if one.name == "NIFTY" and one.expiry)
    universe = Universe(dump, UniverseRules(("NSE:NIFTY 50",)), later)
    assert {one.expiry for one in universe.options} == {later}


def test_the_default_universe_is_listed_and_fits(dump: Sequence[Instrument]) -> None:
    universe = Universe(dump, IngestSettings().universe, DAY)
    assert len(universe.underlyings) == 12
    assert universe.options
