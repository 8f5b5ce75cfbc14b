"""What became of each recorded file: refused by reason, and candles against independent ones."""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from pathlib import Path

import pandas as pd
import pytest

from libs.market.calendar import Session, load_calendar
from services.ingest.recorded_feed import read_day
from services.ingest.recordings.errors import RecordingError
from services.ingest.recordings.place import Recordings
from tests.integration.folded import INDIA, Folded
from tests.integration.recorded_files import (
    PAGE,
    PRICES,
    bars_of,
    differing,
    folded_file,
    names_of,
    row_of,
    side_by_side,
    told,
)

Recorded = Callable[[str], Path]


SAMPLE = (
    *("ticks_2021/2021-06-09/RELIANCE", "ticks_2021/2021-06-11/RELIANCE"),
    *("ticks_2021/2021-06-08/NIFTY50", "nifty_1sec_2022/2022-08-12.csv.gz"),
)


def is_sample(name: str) -> bool:
    """Return whether a file is short, or one of the few long ones that always run."""
    return name in SAMPLE or not name.startswith(("ticks_2021", "nifty_1sec"))


FILES = [
    pytest.param(
        name,
        marks=[]
        if is_sample(name)
        else pytest.mark.proof("two seconds a file; some of them always run"),
    )
    for name in told()
]


@pytest.fixture(scope="module")
def data(recorded: Recorded) -> Path:
    """The folder of recorded data."""
    return recorded("ticks_2021").parent


@lru_cache(maxsize=100)
def folded(data: Path, name: str) -> Folded:
    return folded_file(data, name)


def test_the_page_tells_of_every_recorded_file(data: Path) -> None:
    assert list(told()) == list(names_of(data))
    text = PAGE.read_text()
    folders = [path.name for path in data.iterdir() if path.is_dir()]
    assert [name for name in folders if name not in text] == []


@pytest.mark.parametrize("name", FILES)
def test_the_page_tells_what_became_of_the_rows_of_a_file(data: Path, name: str) -> None:
    assert row_of(folded(data, name), bars_of(data, name), name) == told()[name]


def rows_of(data: Path, name: str) -> pd.DataFrame:
    """Return a file's rows as symbol, at, price and volume (0 where it has none)."""
    path = data / (f"{name}.csv.gz" if name.startswith("ticks_2021") else name)
    table = pd.read_csv(path).rename(columns=str.lower)
    columns = {
        "at": pd.to_datetime(table.filter(regex="timestamp").iloc[:, 0]),
        "price": table.filter(regex="^(ltp|last_price)$").iloc[:, 0],
        "volume": table["volume_traded"] if "volume_traded" in table else table.get("volume", 0),
        "symbol": table.get("symbol", ""),
    }
    return pd.DataFrame(columns)


def independent(rows: pd.DataFrame, day: date, *, has_volume: bool) -> pd.DataFrame:
    """Return one-minute candles: rows of the session by time and volume, repeats dropped."""
    opened, closed = (pd.Timestamp(f"{day} {at}") for at in ("09:15", "15:30"))
    rows = rows[(rows["at"] >= opened) & (rows["at"] <= closed) & (rows.price > 0)]
    base = int(rows.volume.iloc[0])  # of the row that arrived first
    rows = rows.drop_duplicates().sort_values(["at", "volume"], kind="stable")
    last = closed - pd.Timedelta("1ms")
    minute = rows["at"].where(rows["at"] < last, last).dt.floor("min")
    running = rows.volume.cummax()
    by_minute = rows.price.groupby(minute)
    aggregated = {"open": "first", "high": "max", "low": "min", "close": "last"}
    made = pd.DataFrame({name: by_minute.agg(how) for name, how in aggregated.items()})
    ends = running.groupby(minute).last()
    made["volume"] = ends - ends.shift(fill_value=base)
    is_first = made.index == made.index[0]
    return made[(made.volume > 0) | is_first] if has_volume else made


@pytest.mark.parametrize(
    "name", [one for one in FILES if not str(one.values[0]).startswith("kite_ticks")]
)
def test_candles_are_those_of_an_independent_computation(data: Path, name: str) -> None:
    made, rows = folded(data, name), rows_of(data, name)
    for symbol, mine in rows.groupby("symbol"):
        ours = made.table()
        if name.startswith("futures_ticks"):
            ours = ours.loc[[f"{symbol}25NOVFUT"]]
        has_volume = bool(mine.volume.any())
        assert differing(ours, independent(mine, made.day.day, has_volume=has_volume)) == (0, 0)


@pytest.mark.parametrize("name", [one for one in FILES if "/2021-06-0" in str(one.values[0])])
def test_minutes_that_differ_from_the_bars_of_others_are_the_last_of_the_session(
    data: Path, name: str
) -> None:
    bars = bars_of(data, name)
    if bars is None:
        return
    ours = folded(data, name).table()
    last = pd.Timestamp(f"{name.split('/')[1]} 15:29")
    assert differing(ours.drop(last, level="at", errors="ignore"), bars.drop(last)) == (0, 0)


def test_the_candles_of_a_vendor_differ_at_the_boundaries_of_minutes_alone(data: Path) -> None:
    bars = labelled_by_end(data / "nse_1min_reference" / "RELIANCE_2021-06-09_endlabel.csv")
    ours = folded(data, "ticks_2021/2021-06-09/RELIANCE").table().droplevel("symbol")
    both = side_by_side(bars, ours)
    equal = {name: int((both[name] == both[f"{name}_ours"]).sum()) for name in (*PRICES, "volume")}
    assert len(both) == 59
    assert equal == {"open": 51, "high": 59, "low": 57, "close": 50, "volume": 37}


def test_most_minutes_of_an_index_agree_with_those_of_a_vendor(data: Path) -> None:
    bars = labelled_by_end(data / "nse_1min_index" / "2021-06_NIFTY50_endlabel.csv.gz")
    ours = folded(data, "ticks_2021/2021-06-08/NIFTY50").table().droplevel("symbol")
    both = side_by_side(bars, ours)
    assert len(both) == len(ours)
    for name in PRICES:
        differ = (both[name] - both[f"{name}_ours"]).abs()
        assert (differ == 0).mean() >= 0.71
        assert differ.max() < 37


def labelled_by_end(path: Path) -> pd.DataFrame:
    """Return bars by the start of their minute."""
    bars = pd.read_csv(path, dtype={"time": str})
    ends = pd.to_datetime(bars.date.astype(str) + " " + bars.time)
    return bars.set_index(ends - pd.Timedelta("1min"))


def test_callbacks_of_the_official_client_make_a_candle(data: Path) -> None:
    (candle,) = folded(data, "kite_ticks/RELIANCE_full_2021-04-30.jsonl").table().itertuples()
    assert candle[1:7] == (2012.2, 2012.2, 2011.8, 2012.2, 1323, 13)


def test_the_best_ask_of_the_futures_is_found_where_it_was_written(data: Path) -> None:
    made = folded(data, "futures_ticks/2025-11-17_RELIND_MCX.csv.gz")
    for one in made.day.ticks:
        assert (one.more["ask_price"] > one.more["bid_price"]).all()
        assert (one.at_ms % 1000 != 0).mean() > 0.9


@pytest.mark.parametrize(
    ("place", "day", "words"),
    [
        ("nifty_1sec_2022", "2022-09-24", "closed (Saturday)"),
        ("nifty_1sec_2022", "2022-09-25", "closed (Sunday)"),
        ("kite_ticks/options_quote_2024-06-06.jsonl", "2024-06-06", "no column exchange_timestamp"),
        ("option_chain", "2025-08-29", "an option chain, not ticks"),
        ("nse_15min", "2024-05-18", "candles, not ticks"),
        ("nse_1min_index", "2024-03-02", "candles, not ticks"),
        ("nse_1min_from_ticks", "2021-06-09", "candles, not ticks"),
        ("nse_1min_reference", "2021-06-09", "candles, not ticks"),
        ("fo_bhavcopy", "2025-11-14", "no column"),
        ("instruments", "2025-10-08", "an option chain, not ticks"),
        ("kite_mocks", "2025-10-08", "kite_mocks/"),
    ],
)
def test_what_holds_no_ticks_of_an_open_day_is_refused_by_name(
    recorded: Recorded, place: str, day: str, words: str
) -> None:
    path = recorded(place)
    with pytest.raises(RecordingError) as refused:
        read_day(Recordings(path), date.fromisoformat(day), None, load_calendar())
    assert words in str(refused.value)


def starts(sessions: tuple[Session, ...], every: str) -> set[pd.Timestamp]:
    """Return when the candles of a day open, a naive time in India: each session has its own."""
    return {
        at
        for one in sessions
        for at in pd.date_range(one.opens_at, one.closes_at, freq=every, inclusive="left")
        .tz_convert(INDIA)
        .tz_localize(None)
    }


def off_calendar(opened: "pd.Series[pd.Timestamp]", every: str) -> dict[str, tuple[int, int]]:
    """Return the days whose candles are not those of the calendar: how many more, how many less."""
    calendar, found = load_calendar(), {}
    for day, mine in opened.groupby(opened.dt.date):
        wanted, have = starts(calendar.sessions("NSE", day), every), set(mine)
        if wanted != have:
            found[str(day)] = len(have - wanted), len(wanted - have)
    return found


ALL = {"2025-03-06": (0, 1), "2025-03-25": (1, 0)}
OF_INDICES = {
    "2024-05-18": (18, 0),
    "2024-07-01": (1, 1),
    "2024-07-25": (2, 3),
    "2024-09-06": (1, 0),
    "2024-10-14": (1, 1),
    "2025-01-07": (1, 0),
}


@pytest.mark.parametrize("symbol", ["INFY", "RELIANCE", "SBIN", "NIFTYBANK", "NIFTYFINSERVICE"])
def test_candles_of_15_minutes_are_those_of_the_sessions(recorded: Recorded, symbol: str) -> None:
    bars = pd.read_csv(recorded(f"nse_15min/{symbol}_2024-04_2025-03.csv.gz"))
    is_index = symbol.startswith("NIFTY")
    opened = pd.to_datetime(bars.timestamp)
    assert off_calendar(opened, "15min") == (ALL | OF_INDICES if is_index else ALL)


@pytest.mark.parametrize("symbol", ["NIFTY50", "BANKNIFTY"])
def test_minutes_of_an_index_are_those_of_the_sessions_also_around_a_pause(
    recorded: Recorded, symbol: str
) -> None:
    bars = pd.read_csv(recorded(f"nse_1min_index/2024-01_2024-04_{symbol}_startlabel.csv.gz"))
    opened = pd.to_datetime(bars.Date.astype(str) + " " + bars.Time)
    assert opened.dt.date.nunique() == 79
    assert off_calendar(opened, "1min") == {"2024-01-20": (167, 0)}
    assert (opened.dt.date == date(2024, 3, 2)).sum() == 105


@pytest.mark.parametrize("symbol", ["NIFTY50", "BANKNIFTY"])
def test_minutes_labelled_by_their_end_are_those_of_the_sessions(
    recorded: Recorded, symbol: str
) -> None:
    bars = labelled_by_end(recorded(f"nse_1min_index/2021-06_{symbol}_endlabel.csv.gz"))
    off = off_calendar(bars.index.to_series(), "1min")
    assert len(off) == 22
    assert set(off.values()) == {(3, 0), (2, 0)}  # before the open once, after the close
