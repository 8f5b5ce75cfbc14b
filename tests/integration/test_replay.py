"""A recorded day through all six services, stored in a real ClickHouse."""

import asyncio
import csv
import gzip
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pandas as pd
import pytest
from fastparquet import write as write_parquet

from libs.market.calendar import IST
from libs.store.clickhouse import ClickHouseStore
from libs.store.store import StoreAddress
from tests.integration.commands import alphastocks, events_of, settings_file, summary_of
from tests.integration.recordings import DAY, EARLIER, SYMBOLS, write_recording
from tests.recomputed import Record, differences, read

Replay = Callable[..., Path]
ROWS_OF_FILES = {
    "strategy_signals": ("strategy_signals.jsonl",),
    "trading_signals": ("signals.jsonl", "signal_updates.jsonl"),
    "decisions": ("decisions.jsonl",),
    "orders": ("orders.jsonl",),
    "positions": ("positions.jsonl",),
}


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recording(tmp_path_factory.mktemp("recording"))


@pytest.fixture(scope="module")
def database(clickhouse_server: StoreAddress) -> StoreAddress:
    """A database for all replays of this module: equal inputs must give equal rows."""
    return replace(clickhouse_server, database=f"test_replay_{uuid4().hex[:8]}")


@pytest.fixture(scope="module")
def replay(
    tmp_path_factory: pytest.TempPathFactory, database: StoreAddress, recording: Path
) -> Replay:
    """Return a function that replays the recording and returns the folder of the outcome."""

    def run(*options: object, folder: Path = recording, settings: str = "") -> Path:
        place = tmp_path_factory.mktemp("replay")
        config = settings_file(place, database, settings)
        command = ("replay", folder, "--date", DAY, "--out", place / "out", "--config", config)
        with pytest.MonkeyPatch.context() as patch:
            assert alphastocks(patch, *command, "--var", place / "var", *options) == 0
        return place / "out"

    return run


@pytest.fixture(scope="module")
def plain(replay: Replay) -> Path:
    """The outcome of the first replay into an empty database."""
    return replay()


def count(address: StoreAddress, sql: str) -> int:
    async def ask() -> int:
        store = ClickHouseStore(address)
        try:
            return int((await store.query(sql))["n"][0])
        finally:
            await store.close()

    return asyncio.run(ask())


def column(address: StoreAddress, sql: str) -> list[str]:
    async def ask() -> list[str]:
        store = ClickHouseStore(address)
        try:
            (values,) = (await store.query(sql)).values()
            return [str(value) for value in values]
        finally:
            await store.close()

    return asyncio.run(ask())


TABLES = (*ROWS_OF_FILES, "historical_data", "market_data", "options_data")


def test_a_day_gives_candles_signals_and_positions_that_are_all_closed(plain: Path) -> None:
    summary = summary_of(plain)
    assert summary["signals"] >= 2
    assert summary["positions_opened"] == summary["positions_closed"] >= 1
    assert summary["dead_letters"] == 0
    assert summary["history_days"] == [day.isoformat() for day in EARLIER]
    last = {event["position_id"]: event for event in events_of(plain, "positions.jsonl")}
    assert all(event["quantity"] == 0 for event in last.values())


def test_the_rows_of_each_table_are_the_events_of_its_files(
    plain: Path, database: StoreAddress
) -> None:
    for table, files in ROWS_OF_FILES.items():
        written = [event["event_id"] for name in files for event in events_of(plain, name)]
        stored = column(database, f"SELECT event_id FROM {table} FINAL")
        assert sorted(stored) == sorted(written), table
    ticks = count(database, "SELECT count() AS n FROM market_data FINAL")
    assert ticks == summary_of(plain)["ticks"]


def test_the_stored_candles_are_those_of_the_file(plain: Path, database: StoreAddress) -> None:
    written = [
        (row["tradingsymbol"], row["interval"], row["opened_at"], float(row["close"]))
        for row in csv.DictReader((plain / "candles.csv").read_text().splitlines())
    ]
    assert sorted(asyncio.run(stored_candles(database))) == sorted(written)


async def stored_candles(address: StoreAddress) -> list[tuple[str, str, str, float]]:
    store = ClickHouseStore(address)
    rows = await store.query(
        "SELECT tradingsymbol, interval, opened_at, close FROM historical_data FINAL "
        "WHERE source = 'live'"
    )
    await store.close()
    rows["opened_at"] = [at.astimezone(IST).isoformat() for at in rows["opened_at"]]
    return list(zip(*rows.values(), strict=True))


def test_a_second_replay_in_another_order_has_the_same_digest_and_adds_no_row(
    plain: Path, replay: Replay, database: StoreAddress, recording: Path, tmp_path: Path
) -> None:
    rows = {table: count(database, f"SELECT count() AS n FROM {table} FINAL") for table in TABLES}
    for day in (DAY, *reversed(EARLIER)):
        (tmp_path / day.isoformat()).mkdir(parents=True)
        for symbol in reversed(SYMBOLS):
            name = f"{day.isoformat()}/{symbol}.csv.gz"
            shutil.copy(recording / name, tmp_path / name)
    second = replay("--symbols", ",".join(reversed(SYMBOLS)), folder=tmp_path)
    assert summary_of(second)["sha256"] == summary_of(plain)["sha256"]
    again = {table: count(database, f"SELECT count() AS n FROM {table} FINAL") for table in TABLES}
    assert again == rows
    assert all(rows.values())


@pytest.mark.proof("half a minute; in small: the seeded chain's own tests")
def test_another_seed_of_the_chain_changes_orders_but_neither_candles_nor_signals(
    plain: Path, replay: Replay
) -> None:
    other = replay("--seed", 2)
    for name in ("candles.csv", "strategy_signals.jsonl", "signals.jsonl"):
        assert (other / name).read_text() == (plain / name).read_text()
    assert (other / "orders.jsonl").read_text() != (plain / "orders.jsonl").read_text()


@pytest.mark.proof("a minute; in small: handovers of partitions")
def test_the_number_of_partitions_changes_neither_candles_nor_signals(
    plain: Path, replay: Replay
) -> None:
    four = replay(settings="[bus]\nmarket_partitions = 4\n")
    assert (four / "candles.csv").read_text() == (plain / "candles.csv").read_text()
    signals = [
        sorted(event["event_id"] for event in events_of(out, "signals.jsonl"))
        for out in (plain, four)
    ]
    assert signals[0] == signals[1]


def test_every_decision_of_a_replay_follows_from_its_record_alone(
    plain: Path, replay: Replay
) -> None:
    logged = replay(settings='[executor]\nmode = "logging_only"\n')
    records = [*decisions_of(plain), *decisions_of(logged)]
    assert {record["outcome"] for record in records} >= {"executed", "logged"}
    assert [one for record in records for one in differences(record)] == []


def decisions_of(out: Path) -> list[Record]:
    return read((out / "decisions.jsonl").read_text())


def test_logging_only_decides_and_stores_but_opens_nothing(replay: Replay) -> None:
    out = replay(settings='[executor]\nmode = "logging_only"\n')
    summary = summary_of(out)
    assert summary["mode"] == "logging_only"
    assert summary["orders"] == summary["positions_opened"] == 0
    outcomes = {event["outcome"] for event in events_of(out, "decisions.jsonl")}
    assert outcomes == {"logged"}


def test_without_history_the_strategies_stay_cold_and_no_signal_is_given(
    replay: Replay, tmp_path: Path
) -> None:
    alone = write_recording(tmp_path, days=[DAY], symbols=["SBIN"], every_seconds=60)
    summary = summary_of(replay(folder=alone))
    assert summary["candles"] > 0
    assert summary["strategy_signals"] == 0
    assert summary["history_days"] == []


def test_a_day_of_parquet_and_a_bad_row_of_csv_have_the_outcome_of_the_same_day(
    replay: Replay, plain: Path, recording: Path, tmp_path: Path
) -> None:
    for file in recording.glob("*/*.csv.gz"):
        table = pd.read_csv(file)
        table["timestamp"] = pd.to_datetime(table["timestamp"])
        path = tmp_path / file.parent.name / file.name.replace(".csv.gz", ".parquet")
        path.parent.mkdir(exist_ok=True)
        write_parquet(str(path), table.assign(symbol=file.name.removesuffix(".csv.gz")))
    file = recording / DAY.isoformat() / "SBIN.csv.gz"
    header, first, *rows = gzip.decompress(file.read_bytes()).decode().splitlines()
    spoilt = "\n".join([header, first, f"{DAY} 09:15:10,abc,5", *rows, ""])
    (tmp_path / DAY.isoformat() / "SBIN.parquet").unlink()
    (tmp_path / DAY.isoformat() / "SBIN.csv").write_text(spoilt)
    out = replay(folder=tmp_path)
    assert summary_of(out)["rows_left_out"] == {"unreadable_price": 1}
    assert summary_of(out)["sha256"] == summary_of(plain)["sha256"]
