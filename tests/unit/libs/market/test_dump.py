"""Kite's instrument dump, with the defects of real ones."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.dump import Dump, DumpError, format_dump, read_dump
from libs.market.instruments import Instrument

HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,"
    "tick_size,lot_size,instrument_type,segment,exchange"
)
RELIANCE = "738561,2885,RELIANCE,RELIANCE INDUSTRIES,0.0,,0.0,0.1,1,EQ,NSE,NSE"
NIFTY_50 = "256265,1001,NIFTY 50,NIFTY 50,0.0,,0.0,0.0,0,EQ,INDICES,NSE"
CALL = "9488386,37064,NIFTY25O1425100CE,NIFTY,1.5,2025-10-14,25100.0,0.05,75,CE,NFO-OPT,NFO"

words = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20
)
prices = st.floats(0, 1e7, allow_nan=False)
common = {
    "instrument_token": st.integers(0, 2**32 - 1),
    "exchange_token": st.integers(0, 2**24 - 1),
    "tradingsymbol": words,
    "name": st.text(
        st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")), max_size=20
    ),
    "last_price": prices,
    "segment": words,
    "exchange": words,
}
shares = st.builds(
    Instrument,
    **common,
    expiry=st.none(),
    strike=prices,
    tick_size=st.decimals(0, 10, places=2),
    lot_size=st.integers(0, 100_000),
    instrument_type=st.just("EQ"),
)
contracts = st.builds(
    Instrument,
    **common,
    expiry=st.dates(date(2000, 1, 1), date(2050, 1, 1)),
    strike=st.floats(0.5, 1e7),
    tick_size=st.decimals("0.01", 10, places=2),
    lot_size=st.integers(1, 100_000),
    instrument_type=st.sampled_from(["FUT", "CE", "PE"]),
)


def read(*rows: str) -> Dump:
    return read_dump("\n".join([HEADER, *rows]).encode(), "dump.csv")


def only(*rows: str) -> Instrument:
    (instrument,) = read(*rows).instruments
    return instrument


def test_a_row_of_the_dump_becomes_an_instrument() -> None:
    option, index = read(CALL, NIFTY_50).instruments
    assert option.key == "NFO:NIFTY25O1425100CE"
    assert (option.expiry, option.strike) == (date(2025, 10, 14), 25100.0)
    assert (option.tick_size, option.lot_size, option.last_price) == (Decimal("0.05"), 75, 1.5)
    assert option.is_option
    assert not option.is_index
    assert index.is_index
    assert not index.is_option
    assert index.expiry is None


def test_a_quoted_name_may_contain_commas_and_quotes() -> None:
    instrument = only(RELIANCE.replace("RELIANCE INDUSTRIES", '"R ""IND"", LTD"'))
    assert instrument.name == 'R "IND", LTD'


def test_columns_are_found_by_name_and_unknown_ones_are_ignored() -> None:
    data = f"isin,{HEADER}\nINE002A01018,{RELIANCE}".encode()
    assert read_dump(data, "dump.csv") == read(RELIANCE)


def test_a_byte_order_mark_windows_line_ends_and_empty_lines_are_read_over() -> None:
    data = f"\ufeff{HEADER}\r\n{RELIANCE}\r\n\r\n{NIFTY_50}\r\n".encode()
    assert read_dump(data, "dump.csv") == read(RELIANCE, NIFTY_50)


def test_a_whole_number_may_have_a_decimal_point() -> None:
    assert only(RELIANCE.replace(",1,EQ", ",1.0,EQ").replace("738561", "738561.00")) == only(
        RELIANCE
    )


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("738561", "x", "instrument_token"),
        ("738561", "-1", "instrument_token"),
        ("738561", "73_8561", "instrument_token"),
        ("RELIANCE,", ",", "tradingsymbol"),
        ("RELIANCE,", " ,", "tradingsymbol"),
        (",0.0,,", ",nan,,", "last_price"),
        (",,0.0", ",30-10-2025,0.0", "expiry"),
        (",,0.0", ",,inf", "strike"),
        (",0.1,", ",ten paise,", "tick_size"),
        (",0.1,", ",NaN,", "tick_size"),
        (",1,EQ", ",1.5,EQ", "lot_size"),
        (",1,EQ", ",1.,EQ", "lot_size"),
        (",EQ,", ",,", "instrument_type"),
        (",NSE,NSE", ",NSE", "exchange"),
    ],
)
def test_a_row_with_a_bad_value_is_left_out_by_line_and_column(
    old: str, new: str, column: str
) -> None:
    dump = read(NIFTY_50, RELIANCE.replace(old, new, 1))
    assert dump.instruments == read(NIFTY_50).instruments
    (left_out,) = dump.left_out
    assert left_out.startswith(f"line 3, column {column}: cannot read ")


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("2025-10-14", "", "expiry"),
        ("25100.0", "0", "strike"),
        ("0.05", "0", "tick_size"),
        (",75,", ",0,", "lot_size"),
    ],
)
def test_an_option_that_lacks_what_an_order_needs_is_left_out(
    old: str, new: str, column: str
) -> None:
    dump = read(NIFTY_50, CALL.replace(old, new, 1))
    assert [one.tradingsymbol for one in dump.instruments] == ["NIFTY 50"]
    assert dump.left_out[0].startswith(f"line 3, column {column}: cannot read ")


def test_a_bad_byte_spoils_its_row_alone() -> None:
    spoilt = RELIANCE.encode().replace(b"INDUSTRIES", b"IND\xffUSTRIES")
    rows = [HEADER.encode(), NIFTY_50.encode(), spoilt, CALL.encode()]
    dump = read_dump(b"\n".join(rows), "dump.csv")
    assert [one.tradingsymbol for one in dump.instruments] == ["NIFTY 50", "NIFTY25O1425100CE"]
    (left_out,) = dump.left_out
    assert left_out.startswith("line 3, column name: cannot read 'RELIANCE IND")
    assert left_out.isascii()


@pytest.mark.parametrize("name", ['"RELIANCE" INDUSTRIES', '"RELIANCE INDUSTRIES'])
def test_a_broken_quote_spoils_its_row_alone(name: str) -> None:
    dump = read(NIFTY_50, RELIANCE.replace("RELIANCE INDUSTRIES", name), CALL)
    assert len(dump.instruments) == 2
    assert dump.left_out[0].startswith("line 3: ")


def test_a_dump_without_a_column_is_refused() -> None:
    with pytest.raises(DumpError, match=r"dump\.csv, line 1: column exchange is missing"):
        read_dump(HEADER.removesuffix(",exchange").encode(), "dump.csv")


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(DumpError, match="line 1: column instrument_token is missing"):
        read_dump(b"", "dump.csv")


def test_a_dump_of_which_most_rows_cannot_be_read_is_refused_in_one_line() -> None:
    bad = RELIANCE.replace("RELIANCE,", ",", 1)
    assert len(read(NIFTY_50, bad).instruments) == 1
    with pytest.raises(DumpError) as refused:
        read(NIFTY_50, bad, bad)
    assert str(refused.value) == (
        "dump.csv: 2 of 3 rows cannot be read, the first of them "
        "line 3, column tradingsymbol: cannot read ''"
    )


@given(st.lists(shares | contracts, max_size=5))
def test_what_is_written_as_a_dump_is_read_back_the_same(given: list[Instrument]) -> None:
    assert read_dump(format_dump(given).encode(), "dump.csv") == Dump(tuple(given))


def test_the_official_mock_of_the_instruments_call_is_read(
    recorded: Callable[[str], Path],
) -> None:
    data = recorded("kite_mocks/instruments_all.csv").read_bytes()
    dump = read_dump(data, "instruments_all.csv")
    assert len(dump.instruments) > 50
    assert dump.left_out == ()
