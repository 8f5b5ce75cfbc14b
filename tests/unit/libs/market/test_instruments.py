import gzip
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.dump import read_dump
from libs.market.instruments import (
    Catalog,
    Instrument,
    option_tradingsymbol,
    partition_of,
    underlying_name,
)

MakeOption = Callable[..., Instrument]

HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,"
    "tick_size,lot_size,instrument_type,segment,exchange"
)
RELIANCE = "738561,2885,RELIANCE,RELIANCE INDUSTRIES,0.0,,0.0,0.1,1,EQ,NSE,NSE"

words = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20
)


def parse(*rows: str) -> list[Instrument]:
    return list(read_dump("\n".join([HEADER, *rows]).encode(), "dump.csv").instruments)


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("NSE:RELIANCE", "RELIANCE"),
        ("reliance", "RELIANCE"),
        ("NIFTYBANK", "BANKNIFTY"),
        ("NSE:NIFTY BANK", "BANKNIFTY"),
        ("BANKNIFTY", "BANKNIFTY"),
        ("NIFTY 50", "NIFTY"),
        ("nifty50", "NIFTY"),
        ("NIFTY FIN SERVICE", "FINNIFTY"),
        ("NIFTY MID SELECT", "MIDCPNIFTY"),
        ("BAJAJ_AUTO", "BAJAJ-AUTO"),
        ("MM", "M&M"),
    ],
)
def test_a_symbol_leads_to_the_name_of_its_options(symbol: str, name: str) -> None:
    assert underlying_name(symbol) == name


@given(st.sampled_from(["NSE:NIFTY 50", "MM", "NIFTYBANK"]) | words)
def test_finding_the_underlying_twice_changes_nothing(symbol: str) -> None:
    assert underlying_name(underlying_name(symbol)) == underlying_name(symbol)


@pytest.mark.parametrize(
    ("expiry", "strike", "is_monthly", "symbol"),
    [
        (date(2025, 10, 14), 25100, False, "NIFTY25O1425100CE"),
        (date(2025, 10, 28), 25100, True, "NIFTY25OCT25100CE"),
        (date(2021, 6, 3), 15500, False, "NIFTY2160315500CE"),
        (date(2025, 12, 2), 132.5, False, "NIFTY25D02132.5CE"),
        (date(2025, 11, 4), 25100.05, False, "NIFTY25N0425100.05CE"),
    ],
)
def test_option_symbols_follow_kite(
    expiry: date, strike: float, is_monthly: bool, symbol: str
) -> None:
    assert option_tradingsymbol("NIFTY", expiry, strike, "CE", is_monthly) == symbol


def test_every_option_of_a_real_dump_has_the_symbol_made_for_it(
    recorded: Callable[[str], Path],
) -> None:
    data = gzip.decompress(recorded("instruments/NFO_20251008.csv.gz").read_bytes())
    dump = read_dump(data, "NFO_20251008.csv")
    assert dump.left_out == ()
    catalog = Catalog(dump.instruments)
    months: dict[tuple[str, int, int], date] = {}
    for name in {i.name for i in catalog}:
        months |= {(name, e.year, e.month): e for e in catalog.expiries(name)}
    wrong = [i.tradingsymbol for i in catalog if i.is_option and i.tradingsymbol != made(i, months)]
    assert len(catalog) == 33_526
    assert not wrong


def made(option: Instrument, months: dict[tuple[str, int, int], date]) -> str:
    expiry = option.expiry
    assert expiry is not None
    is_monthly = months[option.name, expiry.year, expiry.month] == expiry
    kind = option.instrument_type
    return option_tradingsymbol(option.name, expiry, option.strike, kind, is_monthly)


@given(st.integers(0, 2**32 - 1), st.integers(1, 64))
def test_the_partition_of_a_token_is_the_same_alone_and_in_an_array(token: int, count: int) -> None:
    together = partition_of(np.array([token], np.int64), count)
    assert partition_of(token, count) == together[0] == (token // 256) % count


def test_the_tokens_of_one_segment_spread_over_the_partitions() -> None:
    tokens = np.arange(1000, dtype=np.int64) * 256 + 2
    assert set(partition_of(tokens, 16).tolist()) == set(range(16))


def test_a_catalog_finds_by_token_key_and_underlying(make_option: MakeOption) -> None:
    far, near = date(2025, 10, 28), date(2025, 10, 14)
    put, call = make_option(2, 25_000, "PE"), make_option(1, 25_000, "CE")
    later, other = make_option(3, expiry=far), make_option(4, name="BANKNIFTY")
    catalog = Catalog([later, put, call, other, *parse(RELIANCE)])
    assert catalog.by_token(2) is put
    assert catalog.find("NSE", "RELIANCE") == parse(RELIANCE)[0]
    assert catalog.options("NIFTY", near) == (call, put)
    assert catalog.options("NIFTY") == (call, put, later)
    assert catalog.expiries("NIFTY") == (near, far)
    assert len(catalog) == 5


def test_a_catalog_knows_nothing_of_what_it_was_not_given(make_option: MakeOption) -> None:
    catalog = Catalog([make_option(1)])
    assert catalog.by_token(9) is None
    assert catalog.find("NSE", "TCS") is None
    assert catalog.options("TCS") == ()
    assert catalog.options("NIFTY", date(2030, 1, 1)) == ()
    assert catalog.expiries("TCS") == ()


def test_a_reused_token_and_a_renumbered_symbol_replace_what_was_there(
    make_option: MakeOption,
) -> None:
    first, second = make_option(1, 25_000), make_option(2, 25_100)
    before = Catalog([first, second])
    reused, renumbered = make_option(1, 26_000), make_option(3, 25_100)
    after = before.with_instruments([reused, renumbered])
    assert set(after) == {reused, renumbered}
    assert after.find("NFO", first.tradingsymbol) is None
    assert after.by_token(2) is None
    assert set(before) == {first, second}
