"""Files with rows that cannot be used: each is left out, counted, and told in one line."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.ingest.recordings.errors import RecordingError
from services.local.recorded_chains.ages import ages_of, playable
from services.local.recorded_chains.reading import read_chain_rows
from tests.unit.services.local.recorded_chains.chain_files import (
    HEADER,
    at,
    minutes,
    row_of,
    snapshots,
    write_chain,
)

STRIKE = 24_500.0


def good() -> list[dict[str, Any]]:
    return [row_of(at("10:00"), 24_510, STRIKE), row_of(at("10:00"), 24_510, STRIKE + 50)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Strike_Price": "x"}, "Strike_Price is negative or no number"),
        ({"Strike_Price": "-5"}, "Strike_Price is negative or no number"),
        ({"Strike_Price": "0"}, "Strike_Price is not above 0"),
        ({"CALLS_Bid_Price": "nan"}, "CALLS_Bid_Price is negative or no number"),
        ({"PUTS_Volume": "-1"}, "PUTS_Volume is negative or no number"),
        ({"PUTS_OI": ""}, "PUTS_OI is negative or no number"),
        ({"CALLS_LTP": "1e300"}, "CALLS_LTP is negative or no number"),
        ({"Fetch_Time": "yesterday"}, "Fetch_Time is no time"),
        ({"Expiry_Date": "31-Feb-2025"}, "Expiry_Date is no time"),
        ({"Expiry_Date": "26-Aug-2025"}, "Expiry_Date is before Fetch_Time"),
        ({"collection_timestamp": ""}, "collection_timestamp is no time"),
        ({"Symbol": "BANKNIFTY"}, "of another underlying than NIFTY"),
    ],
)
def test_a_row_that_cannot_be_used_is_one_counted_line(
    change: dict[str, str], reason: str, tmp_path: Path
) -> None:
    bad = row_of(at("10:00"), 24_510, STRIKE + 100) | change
    file = write_chain(tmp_path / "chain.csv", [good()[0], bad, good()[1]])
    rows = read_chain_rows(file, "NIFTY")
    assert rows.strike.tolist() == [STRIKE, STRIKE + 50]
    assert rows.left_out.counts == {reason: 1}
    assert rows.left_out.lines == (f"{file}, line 3: {reason} (1 row left out)",)


def test_a_row_without_all_columns_is_left_out(tmp_path: Path) -> None:
    file = write_chain(tmp_path / "chain.csv", good())
    file.write_text(file.read_text() + "29-Aug-2025 10:00:00,NIFTY\n\n")
    rows = read_chain_rows(file, "NSE:NIFTY 50")
    assert (len(rows), rows.left_out.total) == (2, 1)


def test_of_a_strike_that_comes_twice_in_a_snapshot_the_last_row_counts(tmp_path: Path) -> None:
    later = row_of(at("10:00"), 24_510, STRIKE, CALLS_LTP="99")
    rows = read_chain_rows(write_chain(tmp_path / "chain.csv", [*good(), later]), "NIFTY")
    assert rows.quoted("CE", "last_price").tolist()[-1] == 99
    assert rows.left_out.counts == {"a strike twice in one snapshot": 1}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "column Fetch_Time is missing"),
        ("a.csv", b"timestamp,symbol,option_type,spot,ltp\n", "a file of computed greeks"),
        ("a.csv", ",".join(HEADER).encode(), "no row of NIFTY can be used: it has no rows"),
        ("a.csv", b"\xff\xfe\x00", "codec"),
        ("a.csv.gz", b"no gzip", "Not a gzipped file"),
        ("a.csv.gz", gzip.compress(b"Fetch_Time," * 1000, mtime=0)[:-20], "Compressed file ended"),
        ("a.csv.gz", gzip.compress(b"", mtime=0)[:10] + b"\xff" * 99, "while decompressing"),
    ],
)
def test_a_file_that_is_no_chain_is_refused_by_name(
    name: str, content: bytes, said: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RecordingError, match=said) as refused:
        read_chain_rows(tmp_path / name, "NIFTY")
    assert str(refused.value).startswith(str(tmp_path / name))
    assert "\n" not in str(refused.value)


def test_the_mark_that_spreadsheets_put_first_is_no_part_of_the_first_column(
    tmp_path: Path,
) -> None:
    file = write_chain(tmp_path / "chain.csv", good())
    file.write_text(file.read_text(), encoding="utf-8-sig")
    assert read_chain_rows(file, "NIFTY").header == tuple(HEADER)


def test_a_time_is_played_once_and_an_old_snapshot_not_at_all(tmp_path: Path) -> None:
    rows = [
        *snapshots(minutes("10:00", [24_510.0, 24_511.0])),
        *snapshots(minutes("10:01", [24_511.0]), age_seconds=100),
        *snapshots(minutes("10:02", [24_512.0]), age_seconds=151),
        *snapshots(minutes("10:03", [24_513.0]), age_seconds=150),
        *snapshots(minutes("10:04", [24_513.0]), age_seconds=-1),
    ]
    read = read_chain_rows(write_chain(tmp_path / "chain.csv", rows), "NIFTY")
    ages = ages_of(read)
    assert (ages.snapshots, ages.repeated, ages.stale) == (6, 1, 2)
    assert (ages.youngest_seconds, ages.oldest_seconds) == (-1, 151)
    played = [int(read.at_ms[part[0]]) for part in playable(read)]
    assert played == [round(at(f"10:0{n}").timestamp() * 1000) for n in (0, 1, 3)]


def test_what_was_recorded_on_a_holiday_is_refused_with_its_ages(
    recorded: Callable[[str], Path],
) -> None:
    file = recorded("option_chain/NIFTY_2025-08-27_holiday_stale.csv.gz")
    with pytest.raises(RecordingError) as refused:
        playable(read_chain_rows(file, "NIFTY"))
    assert str(refused.value) == (
        f"{file}: all 7 snapshots of NIFTY are stale: collected 18 h 15 min to 18 h 21 min after "
        "26-Aug-2025 15:30:00, 150 s at most"
    )


def test_the_recorded_day_has_fourteen_repeated_times(recorded: Callable[[str], Path]) -> None:
    file = recorded("option_chain/NIFTY_2025-08-29_1min_snapshots.csv.gz")
    rows = read_chain_rows(file, "NIFTY")
    ages = ages_of(rows)
    assert (ages.snapshots, ages.repeated, ages.stale, rows.left_out.total) == (306, 14, 0, 0)
    times = [int(rows.at_ms[part[0]]) for part in playable(rows)]
    assert len(times) == 292
    assert np.all(np.diff(times) > 0)
