"""Candles from files: what is read, and what is refused with file and row."""

import gzip
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import fastparquet
import numpy as np
import pandas as pd
import pytest

from libs.market.calendar import IST
from services.local.backtest.candles.blemishes import blemishes, warnings_of
from services.local.backtest.candles.files import Named, read_candles
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.errors import BacktestError

FILES = Named()
HEADER = "timestamp,open,high,low,close,volume"
ROWS = (
    "2024-04-26 09:15:00,100,102,99,101,500",
    "2024-04-26 09:30:00,101,103,100,102,400",
    "2024-04-26 09:45:00,102,103,101,101.5,0",
)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: str, header: str = HEADER, name: str = "SBIN.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join((header, *rows)) + "\n")
        return path

    return write


def india(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=IST).timestamp() * 1000)


def only(path: Path, named: Named = FILES) -> CandleHistory:
    (history,) = read_candles([path], named)
    return history


def test_a_csv_file_is_read_in_indias_time_and_named_by_its_name(
    write: Callable[..., Path],
) -> None:
    history = only(write(*ROWS, name="SBIN_2024-04_2025-03.csv"))
    assert (history.key, history.interval, len(history)) == ("NSE:SBIN", "15m", 3)
    assert history.opened_ms.tolist()[0] == india("2024-04-26 09:15")
    assert history.closes_ms.tolist()[-1] == india("2024-04-26 10:00")
    assert history.close.tolist() == [101, 102, 101.5]
    assert history.volume.tolist() == [500, 400, 0]
    assert str(history.trading_day[0]) == "2024-04-26"


@pytest.mark.parametrize(
    ("header", "start"),
    [
        ("Date,Time,Open,High,Low,Close", "20240426,09:15"),
        ("date,time,open,high,low,close", "2024-04-26,09:15:00"),
        ("datetime,open,high,low,close", "2024-04-26T09:15:00+05:30"),
        ("date,open,high,low,close", "2024-04-26T03:45:00Z"),
    ],
)
def test_times_are_read_in_each_form(write: Callable[..., Path], header: str, start: str) -> None:
    history = only(write(f"{start},1,1,1,1", header=header))
    assert history.opened_ms.tolist() == [india("2024-04-26 09:15")]
    assert history.volume.tolist() == [0]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_each_kind_of_file_gives_the_same_candles(
    write: Callable[..., Path], tmp_path: Path, suffix: str
) -> None:
    plain = write(*ROWS)
    other = tmp_path / "other" / f"SBIN{suffix}"
    other.parent.mkdir()
    if suffix == ".parquet":
        frame = pd.read_csv(plain)
        frame["timestamp"] = pd.to_datetime(frame["timestamp"])
        fastparquet.write(str(other), frame)
    elif suffix == ".csv.gz":
        other.write_bytes(gzip.compress(plain.read_bytes()))
    else:
        other.write_bytes(plain.read_bytes())
    first, second = only(plain), only(other.parent)
    for name in ("opened_ms", "closes_ms", "open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(first, name), getattr(second, name))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("NIFTYBANK_2024-04_2025-03.csv", "NSE:NIFTY BANK"),
        ("NIFTYFINSERVICE.csv", "NSE:NIFTY FIN SERVICE"),
        ("NIFTY50_15m.csv", "NSE:NIFTY 50"),
        ("BAJAJ_AUTO_20240426.csv", "NSE:BAJAJ-AUTO"),
        ("M&M.csv", "NSE:M&M"),
    ],
)
def test_the_name_of_a_file_says_the_instrument(
    write: Callable[..., Path], name: str, key: str
) -> None:
    assert only(write(*ROWS, name=name)).key == key
    assert only(write(*ROWS, name=name), Named(None, "BSE", "SENSEX")).key == "BSE:SENSEX"


def test_a_file_may_hold_several_instruments(write: Callable[..., Path]) -> None:
    rows = [f"{row},{symbol}" for row in ROWS for symbol in ("SBIN", "NIFTYBANK")]
    found = read_candles([write(*rows, header=f"{HEADER},symbol")])
    assert [one.key for one in found] == ["NSE:NIFTY BANK", "NSE:SBIN"]
    assert [len(one) for one in found] == [3, 3]


def test_files_of_one_instrument_are_joined_unless_they_overlap(
    write: Callable[..., Path],
) -> None:
    second = write(*ROWS[1:], name="SBIN_2025.csv")
    assert len(*read_candles([second, write(ROWS[0], name="SBIN_2024.csv")], Named("15m"))) == 3
    with pytest.raises(BacktestError, match=r"SBIN: the candles of .* and .* overlap"):
        read_candles([second, write(*ROWS)])


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ((ROWS[1], ROWS[0]), "line 3: it opens before the candle above it; sort"),
        ((ROWS[0], ROWS[0]), "line 3: it opens at the same time as the candle above it"),
        ((ROWS[0], "2024-04-26 09:30:00,,1,1,1,1"), "line 3: open is missing"),
        ((ROWS[0], "2024-04-26 09:30:00,nan,1,1,1,1"), "line 3: open is missing"),
        ((ROWS[0], "2024-04-26 09:30:00,1,1,1,x,1"), "line 3: close 'x' is no finite number"),
        ((ROWS[0], "2024-04-26 09:30:00,1,inf,1,1,1"), "line 3: high .*inf.* is no finite number"),
        ((ROWS[0], "2024-04-26 09:30:00,1,1,-1,1,1"), "line 3: low is -1, not above 0"),
        ((ROWS[0], "2024-04-26 09:30:00,0,1,1,1,1"), "line 3: open is 0, not above 0"),
        ((ROWS[0], "2024-04-26 09:30:00,1,1,2,1,1"), "line 3: high 1 is below low 2"),
        ((ROWS[0], "2024-04-26 09:30:00,1,1,1,1,-5"), "line 3: volume is -5, below 0"),
        ((ROWS[0], "soon,1,1,1,1,1"), "line 3: cannot read the time 'soon'"),
        ((ROWS[0], "2024-04-26T09:30:00Z,1,1,1,1,1"), "line 3: cannot read the time"),
        (("1714103100,1,1,1,1,1",), "line 2: timestamp 1714103100 is no time such as"),
        ((ROWS[0], "2024-04-26 09:30:00,1,1,1,1,1,7,8"), "SBIN.csv: .*[Ee]xpected"),
        ((), "SBIN.csv: it has no candles"),
    ],
)
def test_what_cannot_be_used_is_named_with_file_and_row(
    write: Callable[..., Path], rows: tuple[str, ...], reason: str
) -> None:
    path = write(*rows)
    with pytest.raises(BacktestError, match=reason) as refused:
        read_candles([path])
    assert str(path) in str(refused.value)
    assert len(refused.value.line.splitlines()) == 1


def test_another_interval_than_the_named_one_is_refused(write: Callable[..., Path]) -> None:
    path = write(*ROWS)
    with pytest.raises(BacktestError, match=r"line 3: it opens 15 min after .* --interval is 5m"):
        read_candles([path], Named("5m"))
    odd = write("2024-04-26 09:15,1,1,1,1,1", "2024-04-26 09:22,1,1,1,1,1")
    with pytest.raises(BacktestError, match=r"line 3: it opens 7 min .* intervals are 1m, 3m"):
        read_candles([odd])


def test_what_is_no_table_is_one_line(write: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(BacktestError, match="there is no column close; there are timestamp"):
        read_candles([write("2024-04-26 09:15,1,1,1", header="timestamp,open,high,low")])
    with pytest.raises(BacktestError, match="there is no column timestamp"):
        read_candles([write("1,1,1,1", header="open,high,low,close")])
    broken = {"a.csv.gz": b"\x1f\x8b\x08\x00junk", "b.csv": b"", "c.parquet": b"PAR1"}
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BacktestError, match=name):
            read_candles([tmp_path / name])
    with pytest.raises(BacktestError, match="No such file"):
        read_candles([tmp_path / "nowhere.csv"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(BacktestError, match="there is no file"):
        read_candles([tmp_path / "empty"])


def test_days_are_read_as_dates_and_open_with_their_session(write: Callable[..., Path]) -> None:
    history = only(write("2024-04-26,1,1,1,1,1", "2024-04-29,1,1,1,1,1"))
    assert history.interval == "day"
    assert history.opened_ms.tolist()[1] == india("2024-04-29 09:15")
    assert history.closes_ms.tolist()[1] == india("2024-04-29 15:30")


def test_the_last_candle_ends_with_its_session(write: Callable[..., Path]) -> None:
    hours = ("09:15", "10:15", "11:15", "12:15", "13:15", "14:15", "15:15")
    history = only(write(*(f"2024-04-26 {hour},1,1,1,1,1" for hour in hours)))
    assert history.interval == "60m"
    assert history.closes_ms.tolist()[-1] == india("2024-04-26 15:30")


def test_blemishes_of_real_candles_are_used_as_recorded_and_counted_in_one_warning(
    recorded_candles: Path,
) -> None:
    histories = read_candles([recorded_candles])
    by_key = {one.key: blemishes(one) for one in histories}
    assert [len(one) for one in histories] == [5757, 5776, 5776, 5757, 5757]
    assert by_key["NSE:NIFTY BANK"]["outside_session"] == 18 + 1 + 1 + 1 + 1
    assert by_key["NSE:NIFTY BANK"]["special_day"] == 2
    assert len(warnings_of(histories)) == 1


def test_a_blemish_of_each_kind_is_counted(write: Callable[..., Path]) -> None:
    rows = (
        "2024-04-26 09:08,100,100,100,100,0",
        "2024-04-26 09:16,103,102,99,101,500",
        "2024-04-26 09:30,101,103,100,102,400",
        "2024-04-26 09:45,101,103,100,102,400",
        "2024-04-27 09:15,101,103,100,102,400",
        "2024-04-27 09:30,101,103,100,102,400",
        "2024-04-30 09:15,101,103,100,102,400",
        "2024-04-30 09:30,101,103,100,102,400",
    )
    found = blemishes(only(write(*rows)))
    assert found == {
        "outside_range": 1,
        "shifted": 1,
        "off_grid": 0,
        "outside_session": 1,
        "missing": 22 + 23,
        "short_day": 2,
        "special_day": 0,
        "closed_day": 1,
        "missing_day": 1,
    }
