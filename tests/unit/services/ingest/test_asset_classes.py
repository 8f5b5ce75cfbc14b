"""Shares, indices, futures, options and commodities: by name or by rule, with their modes."""

import gzip
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.dump import read_dump
from libs.market.instruments import Instrument
from services.ingest.domain.universe import Universe, UniverseError
from services.ingest.domain.universe_rules import UniverseRules
from tests.unit.services.ingest.contracts import (
    CRUDE_JULY,
    CRUDE_JUNE,
    DAY,
    JUNE,
    NSE_DUMP,
    crude,
    futures,
    make_contract,
)

INDICES = {"NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50"}
FUTURES = futures("NFO", "NIFTY", "SBIN", "TCS")
DUMP = [*NSE_DUMP, *FUTURES, *futures("BFO", "SENSEX"), *crude()]


def universe_of(on: date = DAY, dump: Sequence[Instrument] = DUMP, **classes: Any) -> Universe:
    return Universe(dump, UniverseRules(**({"underlyings": ()} | classes)), on)


def keys(instruments: Sequence[Instrument]) -> list[str]:
    return [one.key for one in instruments]


def test_shares_are_followed_by_name_without_their_options() -> None:
    universe = universe_of(equity={"names": ("NSE:TCS", "NSE:SBIN"), "mode": "quote"})
    assert keys(universe.instruments) == ["NSE:TCS", "NSE:SBIN"]
    assert set(universe.modes({}, ()).values()) == {"quote"}
    assert universe.with_candles == (), "their ticks do not have the exchange's time"


def test_every_share_that_has_options_is_followed_by_rule() -> None:
    sbin = next(one for one in NSE_DUMP if one.tradingsymbol == "SBIN")
    plain = replace(sbin, instrument_token=9_999_937, tradingsymbol="PLAIN", name="PLAIN")
    dump = [*DUMP, plain]
    optioned = universe_of(dump=dump, equity={"rule": "with_options"})
    assert len(optioned.followed) == 10
    assert "NSE:PLAIN" not in keys(optioned.followed)
    assert "NSE:PLAIN" in keys(universe_of(dump=dump, equity={"rule": "all"}).followed)
    assert not any(one.is_index for one in optioned.followed)


def test_every_index_is_followed_by_rule() -> None:
    universe = universe_of(index={"rule": "all", "mode": "ltp"})
    assert keys(universe.instruments) == ["NSE:NIFTY 50", "NSE:NIFTY BANK"]
    assert set(universe.modes({}, ()).values()) == {"ltp"}


def test_the_near_month_of_a_future_is_followed_and_rolls() -> None:
    classes: dict[str, Any] = {"futures": {"names": ("NIFTY", "SENSEX"), "roll_days": 1}}
    june, july = (
        ["NFO:NIFTY26JUN30FUT", "BFO:SENSEX26JUN30FUT"],
        ["NFO:NIFTY26JUL28FUT", "BFO:SENSEX26JUL28FUT"],
    )
    assert keys(universe_of(**classes).instruments) == june
    assert keys(universe_of(date(2026, 6, 29), **classes).instruments) == june
    assert keys(universe_of(JUNE, **classes).instruments) == july


def test_a_contract_is_its_own_instrument_whichever_month_is_near() -> None:
    near, later = (
        universe_of(on, futures={"names": ("NIFTY",), "months": 2}).instruments
        for on in (DAY, date(2026, 7, 1))
    )
    assert near[1] == later[0]
    assert near[0].expiry == JUNE


def test_the_futures_of_the_underlyings_or_of_all_are_followed_by_rule() -> None:
    mine = universe_of(underlyings=("NSE:SBIN",), futures={"rule": "underlyings"})
    assert keys(mine.of("future")) == ["NFO:SBIN26JUN30FUT"]
    every = universe_of(futures={"rule": "all", "months": 3})
    assert keys(every.of("future")) == [one.key for one in FUTURES]


def test_a_contract_that_is_named_is_followed_far_from_the_money() -> None:
    far = next(one for one in NSE_DUMP if one.name == "SBIN" and one.is_option)
    universe = universe_of(options={"names": (far.key,)})
    assert universe.options == universe.instruments == (far,)
    assert universe.modes({}, ()) == {far.instrument_token: "full"}
    assert universe.with_candles == ()


def test_a_commodity_is_followed_with_the_options_of_its_future() -> None:
    rules = {"names": ("CRUDEOIL",), "expiries": 1, "near_strikes": 1}
    universe = universe_of(date(2026, 6, 12), commodity=rules)
    (future,) = universe.followed
    assert future.expiry == CRUDE_JUNE
    assert universe.underlying_tokens == {future.instrument_token}
    near = universe.near({future.instrument_token: 6012.0})
    strikes = sorted({o.strike for o in universe.options if o.instrument_token in near})
    assert strikes == [5900, 6000, 6100]


def test_the_future_that_options_hang_on_is_followed_though_another_one_is_near() -> None:
    on = date(2026, 6, 15)
    rules = {"names": ("CRUDEOIL",), "expiries": 2, "roll_days": 4}
    universe = universe_of(on, commodity=rules)
    assert [one.expiry for one in universe.followed] == [CRUDE_JULY, CRUDE_JUNE]
    assert len(universe.underlying_tokens) == 2


def test_of_an_instrument_of_two_classes_the_richer_mode_counts() -> None:
    universe = universe_of(
        underlyings=("NSE:SBIN",), equity={"names": ("NSE:SBIN", "NSE:TCS"), "mode": "ltp"}
    )
    assert keys(universe.followed) == ["NSE:SBIN", "NSE:TCS"]
    assert sorted(universe.modes({}, ()).values()) == ["full", "ltp"]
    assert keys(universe.with_candles) == ["NSE:SBIN"]


def test_what_is_held_is_followed_in_full() -> None:
    universe = universe_of(underlyings=("NSE:SBIN",), options={"mode": "quote"})
    (sbin,) = universe.underlyings
    near = universe.near({sbin.instrument_token: 880.0})
    modes = universe.modes({sbin.instrument_token: 880.0}, [min(near), 77])
    assert modes[min(near)] == modes[77] == "full"
    assert {modes[token] for token in near - {min(near)}} == {"quote"}


def test_a_future_or_commodity_that_is_not_listed_is_missing_by_name() -> None:
    universe = universe_of(
        futures={"names": ("NIFTY", "ITC")}, commodity={"names": ("CRUDEOYL", "GOLD")}
    )
    assert [tuple(one) for one in universe.missing] == [
        ("NFO:ITC", "NFO lists no future of ITC; did you mean 'TCS'?"),
        ("MCX:CRUDEOYL", "MCX lists no future of CRUDEOYL; did you mean 'CRUDEOIL'?"),
        ("MCX:GOLD", "MCX lists no future of GOLD"),
    ]


def test_a_commodity_without_options_is_named() -> None:
    dump = [*DUMP, make_contract("MCX", "GOLD", date(2026, 8, 5))]
    universe = universe_of(dump=dump, commodity={"names": ("GOLD",), "expiries": 1})
    assert universe.without_options == ("MCX:GOLD",)


def test_a_universe_that_is_too_large_names_its_number() -> None:
    with pytest.raises(UniverseError, match="9 instruments are more than its most, 8"):
        universe_of(most=8, futures={"rule": "all", "months": 3})


CENTRES = universe_of(
    underlyings=("NSE:SBIN", "NSE:NIFTY 50"),
    commodity={"rule": "all", "expiries": 2},
    options={"mode": "quote"},
)


@given(
    spots=st.dictionaries(st.sampled_from(sorted(CENTRES.underlying_tokens)), st.floats(0, 1e5)),
    held=st.sets(st.integers(1, 9)),
)
def test_whatever_the_prices_all_centres_and_all_held_contracts_are_wanted(
    spots: dict[int, float], held: set[int]
) -> None:
    modes = CENTRES.modes(spots, held)
    assert CENTRES.wanted(spots, held) == modes.keys()
    assert CENTRES.underlying_tokens <= modes.keys()
    assert held <= modes.keys()
    assert CENTRES.near(spots) <= modes.keys()
    assert {modes[token] for token in CENTRES.underlying_tokens | held} == {"full"}
    listed = {one.instrument_token for one in CENTRES.instruments}
    assert modes.keys() - held <= listed


def test_on_kites_own_dump_every_share_with_options_has_its_near_future(
    recorded: Callable[[str], Path],
) -> None:
    names = ("NSE_20251008.csv.gz", "NFO_20251008.csv.gz")
    files = [gzip.decompress(recorded(f"instruments/{name}").read_bytes()) for name in names]
    dump = [one for file in files for one in read_dump(file, "Kite's").instruments]
    rules = {"equity": {"rule": "with_options"}, "futures": {"rule": "all", "roll_days": 1}}
    before, after = (
        universe_of(on, dump, **rules) for on in (date(2025, 10, 27), date(2025, 10, 28))
    )
    shares = {one.tradingsymbol for one in before.of("equity")}
    assert len(shares) == 209
    for universe, month in ((before, "OCT"), (after, "NOV")):
        near = universe.of("future")
        assert {one.name for one in near} == shares | INDICES
        assert len(near) == len(shares | INDICES)
        assert all(f"25{month}FUT" in one.tradingsymbol for one in near)
    assert before.missing == after.missing == ()
