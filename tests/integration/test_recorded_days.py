"""Real recorded days through all six services, judged by candles computed independently."""

from pathlib import Path

import pandas as pd
import pytest

from libs.store.store import StoreAddress
from tests.integration.commands import alphastocks, settings_file, summary_of
from tests.recomputed import differences, read

DIRTY = pytest.mark.proof("three minutes; in small: the best day, bad ticks of the candle service")
WHOLE = pytest.mark.proof("two minutes; in small: an index and two stocks of the same day")
SOME = ("NIFTY50", "RELIANCE", "SBIN")
PRICES = ("open", "high", "low", "close")


def replayed(
    factory: pytest.TempPathFactory, address: StoreAddress, ticks: Path, day: str, *words: str
) -> Path:
    place = factory.mktemp("recorded")
    config = settings_file(place, address)
    command = ("replay", ticks, "--date", day, "--out", place / "out", "--config", config)
    with pytest.MonkeyPatch.context() as patch:
        assert alphastocks(patch, *command, *words) == 0
    return place / "out"


@pytest.fixture(scope="module", params=[SOME, pytest.param((), marks=WHOLE)], ids=["some", "whole"])
def symbols(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The symbols of the best day that are played; none: all."""
    chosen: tuple[str, ...] = request.param
    return chosen


@pytest.fixture(scope="module")
def best_day(
    tmp_path_factory: pytest.TempPathFactory,
    clickhouse_server: StoreAddress,
    recorded_ticks: Path,
    symbols: tuple[str, ...],
) -> Path:
    words = ("--symbols", ",".join(symbols)) if symbols else ()
    return replayed(tmp_path_factory, clickhouse_server, recorded_ticks, "2021-06-09", *words)


@pytest.fixture(scope="module")
def dirty_day(
    tmp_path_factory: pytest.TempPathFactory, clickhouse_server: StoreAddress, recorded_ticks: Path
) -> Path:
    return replayed(tmp_path_factory, clickhouse_server, recorded_ticks, "2021-06-11")


def rows_of(ticks: Path, day: str, symbols: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return all rows of a day's files, or of those of some symbols, with their symbol."""
    names = [f"{symbol}.csv.gz" for symbol in symbols] or ["*.csv.gz"]
    files = sorted(file for name in names for file in (ticks / day).glob(name))
    tables = [pd.read_csv(file).assign(symbol=file.name.split(".")[0]) for file in files]
    rows = pd.concat(tables)
    rows["timestamp"] = pd.to_datetime(rows["timestamp"])
    return rows


def independent_candles(
    ticks: Path, day: str, minutes: int, symbols: tuple[str, ...] = ()
) -> pd.DataFrame:
    """Compute candles of a day with pandas: sorted by time and volume, repeats dropped.

    A trade that is stamped with the close belongs to the last candle.
    """
    rows = rows_of(ticks, day, symbols)
    opened, closed = pd.Timestamp(f"{day} 09:15"), pd.Timestamp(f"{day} 15:30")
    rows = rows[(rows.timestamp >= opened) & (rows.timestamp <= closed)].drop_duplicates()
    rows = rows.sort_values(["symbol", "timestamp", "volume"], kind="stable")
    last = closed - pd.Timedelta("1s")
    within = rows.timestamp.where(rows.timestamp < last, last)
    rows["opened"] = within.dt.floor(f"{minutes}min")
    rows["running"] = rows.groupby("symbol").volume.cummax()
    made = rows.groupby(["symbol", "opened"]).agg(
        open=("ltp", "first"),
        high=("ltp", "max"),
        low=("ltp", "min"),
        close=("ltp", "last"),
        running=("running", "last"),
    )
    before = made.groupby("symbol").running.shift()
    made["volume"] = made.running - before.fillna(rows.groupby("symbol").volume.first())
    return made.drop(columns="running")


def our_candles(out: Path, interval: str) -> pd.DataFrame:
    ours = pd.read_csv(out / "candles.csv")
    ours = ours[ours.interval == interval]
    opened = pd.to_datetime(ours.opened_at).dt.tz_localize(None)
    return ours.assign(opened=opened, symbol=ours.tradingsymbol).set_index(["symbol", "opened"])


def joined(theirs: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    suffixes = ("", "_ours")
    return theirs.merge(ours, how="outer", left_index=True, right_index=True, suffixes=suffixes)


@pytest.mark.parametrize(("interval", "minutes"), [("1m", 1), ("15m", 15)])
def test_candles_of_the_best_day_agree_with_an_independent_computation(
    best_day: Path, recorded_ticks: Path, symbols: tuple[str, ...], interval: str, minutes: int
) -> None:
    theirs = independent_candles(recorded_ticks, "2021-06-09", minutes, symbols)
    both = joined(theirs, our_candles(best_day, interval))
    for name in PRICES:
        assert (both[name] == both[f"{name}_ours"]).mean() >= 0.995, name
    assert (both["volume"] == both["volume_ours"]).mean() >= 0.98


def test_the_best_day_gives_signals_and_a_closed_position(
    best_day: Path, symbols: tuple[str, ...]
) -> None:
    summary = summary_of(best_day)
    assert summary["signals"] >= (len(symbols) or 5)
    assert summary["positions_closed"] >= 1
    assert summary["positions_opened"] == summary["positions_closed"]
    assert summary["dead_letters"] == 0
    assert "2021-06-04: no ticks" in summary["history_gaps"]


def test_every_decision_of_the_best_day_follows_from_its_record_alone(best_day: Path) -> None:
    records = read((best_day / "decisions.jsonl").read_text())
    assert records
    assert [one for record in records for one in differences(record)] == []


@DIRTY
def test_no_candle_of_the_dirty_day_lies_outside_its_session(dirty_day: Path) -> None:
    opened = pd.to_datetime(pd.read_csv(dirty_day / "candles.csv").opened_at)
    assert opened.min() >= pd.Timestamp("2021-06-11 09:15", tz="Asia/Kolkata")
    assert opened.max() < pd.Timestamp("2021-06-11 15:30", tz="Asia/Kolkata")


@DIRTY
def test_each_rejected_tick_of_the_dirty_day_is_counted_under_its_reason(
    dirty_day: Path, recorded_ticks: Path
) -> None:
    rows = rows_of(recorded_ticks, "2021-06-11")
    rejected = summary_of(dirty_day)["ticks_rejected"]
    day = pd.Timestamp("2021-06-11")
    is_of_day = rows.timestamp.dt.normalize() == day
    is_zero = rows.timestamp.dt.year == 1970
    in_session = (rows.timestamp >= day + pd.Timedelta("9h15min")) & (
        rows.timestamp < day + pd.Timedelta("15h30min")
    )
    assert rejected["epoch_zero"] == is_zero.sum()
    assert rejected["other_day"] == (~is_of_day & ~is_zero).sum()
    assert rejected["outside_session"] == (is_of_day & ~in_session).sum()
    assert summary_of(dirty_day)["dead_letters"] == 0


@DIRTY
def test_the_candles_of_the_dirty_day_agree_too(dirty_day: Path, recorded_ticks: Path) -> None:
    theirs = independent_candles(recorded_ticks, "2021-06-11", 1)
    both = joined(theirs, our_candles(dirty_day, "1m"))
    for name in PRICES:
        assert (both[name] == both[f"{name}_ours"]).mean() >= 0.995, name
