"""How fast tick batches become stored rows, beside the driver alone, and how small they are.

Batches go through `TableWriter` as the service has it, into a real ClickHouse with the project's
own table. Beside it, in the same run, the driver alone inserts the same columns as numpy arrays in
the order of their arrival, names by their codes, as many rows an insert.
"""

import asyncio
import gc
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from clickhouse_driver import Client

from libs.events.event import Event
from libs.store.clickhouse import ClickHouseStore, create_database
from libs.store.migrate import apply
from libs.store.store import StoreAddress
from libs.store.writer import TableWriter
from services.ingest.domain.rows import MarketDataRows
from services.local.play.database import migrations
from tests.bench.days import BenchDay, board, demo_day, recorded_day
from tests.servers import running_clickhouse

ROUNDS, FETCHED = 2, 500
SIZE = (
    "SELECT sum(data_compressed_bytes) AS bytes, sum(rows) AS ticks FROM system.parts"
    " WHERE database = currentDatabase() AND table = 'market_data' AND active"
)


def measure() -> dict[str, float]:
    """Return rows a second and bytes a row: of the board, of small batches, of a recorded day."""
    with tempfile.TemporaryDirectory() as folder, running_clickhouse(Path(folder)) as address:
        return asyncio.run(_measure(replace(address, database="bench")))


async def _measure(address: StoreAddress) -> dict[str, float]:
    await create_database(address)
    store = ClickHouseStore(address)
    await apply(store, migrations())
    figures = await _figures(store, address, board(), "store", "board_bytes_per_stored_tick")
    small = await _figures(store, address, demo_day(), "store_small", "bytes_per_stored_tick")
    recorded = await _recorded(store)
    await store.close()
    return figures | small | recorded


async def _figures(
    store: ClickHouseStore, address: StoreAddress, day: BenchDay, name: str, size: str
) -> dict[str, float]:
    gc.freeze()  # the day's batches are no garbage, and are not searched for it
    inserts = list(_inserts(day))
    ours, driver = [], []
    for _ in range(ROUNDS):
        await store.execute("TRUNCATE TABLE market_data")
        driver.append(await asyncio.to_thread(_driver_seconds, address, inserts))
        await store.execute("TRUNCATE TABLE market_data")
        ours.append(await _writer_seconds(store, day))
    return {
        f"{name}_rows_per_s": day.ticks / min(ours),
        f"{name}_driver_rows_per_s": day.ticks / min(driver),
        f"{name}_vs_raw_driver": min(driver) / min(ours),
        size: await _bytes_per_tick(store),
    }


async def _recorded(store: ClickHouseStore) -> dict[str, float]:
    day = recorded_day()
    if day is None:
        return {}
    await store.execute("TRUNCATE TABLE market_data")
    await _writer_seconds(store, day)
    return {"recorded_bytes_per_stored_tick": await _bytes_per_tick(store)}


async def _writer_seconds(store: ClickHouseStore, day: BenchDay) -> float:
    """Let the writer have the day as a group's member does: after each fetch others have a turn."""
    writer = TableWriter(store, "market_data", MarketDataRows(), lambda *_: None)
    for event in day.listing:
        await writer.handle(event, _emit)
    started = time.perf_counter()
    for number, batch in enumerate(day.batches):
        await writer.handle(batch, _emit)
        if number % FETCHED == 0:
            await asyncio.sleep(0)
    await writer.flush()
    return time.perf_counter() - started


async def _emit(*_: Event) -> None:
    raise AssertionError("a writer publishes nothing")


def _driver_seconds(address: StoreAddress, inserts: list[dict[str, Any]]) -> float:
    client = Client(
        address.host,
        address.port,
        address.database,
        address.user,
        address.password,
        settings={"use_numpy": True, "session_timezone": "UTC"},
    )
    started = time.perf_counter()
    for columns in inserts:
        sql = f"INSERT INTO market_data ({', '.join(columns)}) VALUES"
        client.execute(sql, list(columns.values()), columnar=True)
    seconds = time.perf_counter() - started
    client.disconnect()
    return seconds


class _Coded(pd.CategoricalDtype):
    dtype = np.dtype(object)


def _inserts(day: BenchDay) -> Iterator[dict[str, Any]]:
    """Yield the columns of the writer's inserts, each in the order of arrival."""
    rows = MarketDataRows()
    for event in day.listing:
        rows.add(event)
    count = 0
    for batch in day.batches:
        count += rows.add(batch)
        if count >= rows.max_rows:
            yield _arrived(rows.take()())
            count = 0
    if count:
        yield _arrived(rows.take()())


def _arrived(columns: dict[str, Any]) -> dict[str, Any]:
    order = np.argsort(columns["batch"], kind="stable")
    names = {name: columns.pop(name) for name in ("exchange", "tradingsymbol")}
    return {name: column[order] for name, column in columns.items()} | {
        name: pd.Categorical.from_codes(
            words.codes[order], dtype=_Coded(pd.Index(words.names, dtype=object))
        )
        for name, words in names.items()
    }


async def _bytes_per_tick(store: ClickHouseStore) -> float:
    await store.execute("OPTIMIZE TABLE market_data FINAL")
    found = await store.query(SIZE)
    return float(found["bytes"][0] / found["ticks"][0])
