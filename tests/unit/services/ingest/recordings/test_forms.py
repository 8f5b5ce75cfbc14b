"""Every form of recorded ticks: known by its content, into the same columns."""

import gzip
import json
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastparquet import write as write_parquet

from libs.market.calendar import IST
from services.ingest.recordings.columns import ticks_of
from services.ingest.recordings.errors import RecordingError
from services.ingest.recordings.forms import read_table
from services.ingest.recordings.ticks import FileTicks, RecordedTicks
from services.ingest.recordings.times import epoch_ms

DAY = date(2026, 6, 17)
AT_MS = round(datetime(2026, 6, 17, 9, 15, 1, 250_000, IST).timestamp() * 1000)
"""09:15:01.250 in India."""


def read(path: Path, content: str | bytes, symbol: str | None = "A") -> FileTicks:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return ticks_of(read_table(path), symbol)


def only(read: FileTicks) -> RecordedTicks:
    (ticks,) = read.ticks
    return ticks


def told(ticks: RecordedTicks) -> list[tuple[int, float, int]]:
    columns = ticks.at_ms, ticks.last_price, ticks.volume
    return list(zip(*(column.tolist() for column in columns), strict=True))


TIMES = (
    "2026-06-17 09:15:01.250",
    "2026-06-17T09:15:01.250999",
    "2026-06-17T09:15:01.250+05:30",
    "2026-06-17T03:45:01.250Z",
    "20260617 09:15:01.250",
    str(AT_MS),
    str(AT_MS / 1000),
    str(AT_MS * 1_000_000),
)


@pytest.mark.parametrize("text", TIMES)
def test_a_time_is_that_of_india_unless_it_says_its_offset_and_keeps_its_milliseconds(
    tmp_path: Path, text: str
) -> None:
    ticks = only(read(tmp_path / "a.csv", f"timestamp,ltp,volume\n{text},100.5,7\n"))
    assert told(ticks) == [(AT_MS, 100.5, 7)]


@pytest.mark.parametrize(
    "header", ["timestamp,ltp,volume", "Exchange_Timestamp, last_price ,volume_traded"]
)
def test_columns_are_known_by_their_names(tmp_path: Path, header: str) -> None:
    rows = f"{header}\n2026-06-17 09:15:01.250,100.5,7\n"
    assert told(only(read(tmp_path / "a.csv", rows))) == [(AT_MS, 100.5, 7)]


def test_a_date_and_a_time_in_two_columns_are_one_time(tmp_path: Path) -> None:
    ticks = only(read(tmp_path / "a.csv", "date,time,price\n20260617,09:15:01.250,5\n"))
    assert told(ticks) == [(AT_MS, 5.0, -1)]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.whatever"])
def test_a_form_is_known_by_its_content_not_by_its_name(tmp_path: Path, name: str) -> None:
    packed = gzip.compress(b"\xef\xbb\xbftimestamp,ltp\r\n2026-06-17 09:15:01.250,100.5\r\n")
    assert told(only(read(tmp_path / name, packed))) == [(AT_MS, 100.5, -1)]


def tick(**fields: object) -> Mapping[str, object]:
    return {"instrument_token": 738561, "last_price": 100.5, **fields}


OLD = tick(
    volume=7,
    last_quantity=3,
    buy_quantity=11,
    timestamp="2026-06-17T09:15:01.250",
    last_trade_time="2026-06-17T09:15:01.250",
    oi=5,
    ohlc={"open": 99.0, "close": 98.0},
    depth={"buy": [{"price": 100.4, "quantity": 2}], "sell": [{"price": 100.6, "quantity": 4}]},
)
NEW = {"volume": "volume_traded", "last_quantity": "last_traded_quantity"}
NEW |= {"buy_quantity": "total_buy_quantity", "timestamp": "exchange_timestamp"}


@pytest.mark.parametrize("names", [{}, NEW], ids=["old", "new"])
def test_callbacks_of_the_official_client_have_old_names_or_new_ones(
    tmp_path: Path, names: Mapping[str, str]
) -> None:
    given = {names.get(name, name): value for name, value in OLD.items()}
    ticks = only(read(tmp_path / "a.jsonl", json.dumps([given]) + "\n"))
    assert told(ticks) == [(AT_MS, 100.5, 7)]
    assert (ticks.symbol, ticks.instrument_token) == ("A", 738561)
    assert {name: column.tolist() for name, column in ticks.more.items()} == {
        "last_traded_quantity": [3],
        "total_buy_quantity": [11],
        "oi": [5],
        "bid_price": [100.4],
        "bid_quantity": [2],
        "ask_price": [100.6],
        "ask_quantity": [4],
        "open_price": [99.0],
        "last_trade_time": [AT_MS],
    }


def test_a_callback_may_have_several_instruments_known_by_their_tokens(tmp_path: Path) -> None:
    both = [{**OLD, "instrument_token": token} for token in (256265, 260105)]
    parts = read(tmp_path / "a.jsonl", json.dumps(both)).ticks
    assert [one.instrument_token for one in parts] == [256265, 260105]


def test_what_is_no_tick_in_a_line_of_json_leaves_the_others(tmp_path: Path) -> None:
    lines = [json.dumps([OLD]), '[{"cut', "[5]", json.dumps([OLD, tick(timestamp="x")])]
    made = read(tmp_path / "a.jsonl", "\n".join([lines[0], *lines]))
    assert len(only(made).at_ms) == 3
    assert made.left_out.counts == {"unreadable": 2, "unreadable_time": 1}
    assert "a.jsonl: line 3: no JSON" in made.left_out.lines[0]
    assert "a.jsonl: line 5: timestamp is not a time: 'x'" in made.left_out.lines[1]


FRAMES: dict[str, dict[str, Any]] = {
    "naive": {"timestamp": pd.to_datetime(["2026-06-17 09:15:01.250"])},
    "milliseconds": {"timestamp": [AT_MS]},
    "text": {"timestamp": ["2026-06-17 09:15:01.250"]},
}


@pytest.mark.parametrize("times", FRAMES)
def test_parquet_has_times_numbers_and_symbols(tmp_path: Path, times: str) -> None:
    path = tmp_path / "a.parquet"
    more = {"last_price": [100.5], "volume_traded": [7], "tradingsymbol": ["SBIN"]}
    write_parquet(str(path), pd.DataFrame(FRAMES[times] | more))
    ticks = only(ticks_of(read_table(path), None))
    assert (ticks.symbol, told(ticks)) == ("SBIN", [(AT_MS, 100.5, 7)])


def test_times_of_a_table_may_have_their_zone() -> None:
    aware = pd.Series(pd.to_datetime(["2026-06-17 09:15:01.250", "NaT"])).dt.tz_localize(IST)
    at_ms, is_none = epoch_ms(aware)
    assert (at_ms[0], is_none.tolist()) == (AT_MS, [False, True])


def test_a_damaged_parquet_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"a\.parquet: it is no Parquet file"):
        read(tmp_path / "a.parquet", b"PAR1 and nothing more")


def test_rows_of_a_file_that_names_its_instruments_are_told_apart(tmp_path: Path) -> None:
    text = "symbol,timestamp,ltp,expiry\nNSE:A,{0},1,\nB,{0},2,2026-06-30\nNSE:A,{0},3,\n"
    a, b = read(tmp_path / "a.csv", text.format("2026-06-17 09:15:01.250"), None).ticks
    assert [row[1] for row in told(b)] == [1.0, 3.0]
    assert (b.symbol, b.exchange, b.expiry) == ("A", "NSE", None)
    assert (a.symbol, a.exchange, a.expiry) == ("B", None, date(2026, 6, 30))


def test_an_index_without_volumes_may_stand_beside_a_share_that_has_them(tmp_path: Path) -> None:
    text = "symbol,timestamp,ltp,volume\n" + "".join(
        f"{symbol},2026-06-17 09:15:0{second},5,{volume}\n"
        for second in range(3)
        for symbol, volume in (("NIFTY", ""), ("SBIN", 7 if second else ""))
    )
    made = read(tmp_path / "a.csv", text, None)
    assert [one.volume.tolist() for one in made.ticks] == [[-1, -1, -1], [7, 7]]
    assert made.left_out.counts == {"unreadable_volume": 1}


GOOD = [f"2026-06-17 09:15:0{second},100.{second},{second}" for second in range(1, 5)]


@pytest.mark.parametrize(
    ("row", "reason", "words"),
    [
        ("9h15,1,1", "unreadable_time", "timestamp is not a time: '9h15'"),
        ("2026-06-17T09:15:03+05:30,1,1", "unreadable_time", "timestamp is not a time"),
        ("2026-06-17 09:15:03,abc,1", "unreadable_price", "ltp is not a number: 'abc'"),
        ("2026-06-17 09:15:03,inf,1", "unreadable_price", "ltp is not a number: 'inf'"),
        ("2026-06-17 09:15:03,1,2.5", "unreadable_volume", "whole number of units: '2.5'"),
        ("2026-06-17 09:15:03,1,", "unreadable_volume", "volume is not a whole number"),
        ("2026-06-17 09:15:03,1", "unreadable_volume", "volume is not a whole number"),
        ("2026-06-17 09:1", "unreadable_price", "ltp is not a number"),
        ("2026-06-17 09:15:03,1,2,3", "surplus_fields", "more fields than the header names"),
        ('2026-06-17 09:15:03,"1,2', "unreadable_price", "ltp is not a number"),
        ("2026-06-17 09:15:03,\xff\x00,2", "unreadable_price", "ltp is not a number"),
    ],
)
def test_a_bad_row_is_left_out_under_its_reason_and_spoils_no_other(
    tmp_path: Path, row: str, reason: str, words: str
) -> None:
    content = "\n".join(["timestamp,ltp,volume", *GOOD[:2], "", row, *GOOD[2:], ""])
    made = read(tmp_path / "a.csv", content.encode("latin-1"))
    assert [price for _, price, _ in told(only(made))] == [100.1, 100.2, 100.3, 100.4]
    assert made.left_out.counts == {reason: 1}
    (line,) = made.left_out.lines
    assert f"{tmp_path / 'a.csv'}: line 5: " in line
    assert words in line
    assert line.endswith("(1 row left out)")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "it is empty"),
        ("timestamp,ltp\n", "no tick follows the header"),
        ("timestamp,volume\n1,2\n", "no column last_price or ltp or price"),
        ("ltp,volume\n1,2\n", "no column exchange_timestamp or timestamp"),
        ("timestamp,ltp,ltp\n1,2,3\n", "two columns have the same name"),
        ("timestamp,open,close\n1,2,3\n", "candles, not ticks"),
        ("timestamp,ltp,strike\n1,2,3\n", "an option chain, not ticks"),
        ("timestamp,ltp\nx,1\ny,2\n2026-06-17 09:15,3\n", "2 of 3 rows are no ticks, the first: "),
        ("timestamp,ltp\nx,1,5\ny,2,6\n", "2 of 2 rows are no ticks, the first: line 2"),
        ("[1, 2]\n", "no tick"),
    ],
)
def test_a_file_that_is_no_recording_gives_one_line(
    tmp_path: Path, content: str, words: str
) -> None:
    with pytest.raises(RecordingError) as refused:
        read(tmp_path / "a.csv", content)
    assert str(refused.value).startswith(f"{tmp_path / 'a.csv'}: ")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_names_no_symbol_says_how_to_name_it(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="names no symbol; say which by --symbol"):
        read(tmp_path / "a.csv", "timestamp,ltp\n2026-06-17 09:15:01,3\n", None)


QUOTED = "symbol,timestamp,ltp,bid_price_1,bid_price_2,bid_qty_2,ask_price_1"


def test_an_ask_that_was_written_as_second_bid_is_taken_for_the_ask(tmp_path: Path) -> None:
    rows = [f"A,2026-06-17 09:15:0{second},9,{8 + second % 2}.5,9.5,40,0" for second in range(3)]
    ticks = only(read(tmp_path / "a.csv", "\n".join([QUOTED, *rows])))
    assert ticks.more["ask_price"].tolist() == [9.5, 0.0, 9.5]
    assert ticks.more["ask_quantity"].tolist() == [40, 0, 40]


@pytest.mark.parametrize("ask", ["0", "9.4"])
def test_a_true_second_bid_is_no_ask(tmp_path: Path, ask: str) -> None:
    second_bid = "8.0" if ask == "0" else "9.5"
    row = f"A,2026-06-17 09:15:01,9,8.5,{second_bid},40,{ask}"
    ticks = only(read(tmp_path / "a.csv", f"{QUOTED}\n{row}\n"))
    assert ticks.more["ask_price"].tolist() == [float(ask)]


def test_numbers_that_were_not_recorded_are_unknown_and_those_unreadable_are_counted(
    tmp_path: Path,
) -> None:
    rows = [f"2026-06-17 09:15:0{second},9,{oi}" for second, oi in enumerate(["5", "", "x"])]
    made = read(tmp_path / "a.csv", "\n".join(["timestamp,ltp,open_interest", *rows]))
    assert only(made).more["oi"].tolist() == [5, 0]
    assert only(made).more["oi"].dtype == np.int64
    assert made.left_out.counts == {"unreadable_oi": 1}
