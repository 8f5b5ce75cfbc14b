"""`alphastocks up`: a restart goes on where it stopped, and everything is there once."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from libs.events.bus import Bus
from libs.events.codec import event_of
from libs.events.journal import Journal
from libs.events.local import LocalBus
from libs.events.positions import PositionClosed, PositionEvent, PositionOpened
from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from libs.store.clickhouse import ClickHouseStore
from libs.store.store import StoreAddress
from services.candle.domain.aggregator import CandleAggregator
from services.candle.settings import CandleSettings
from services.ingest.domain.connection import Connection
from services.ingest.domain.listing import listed
from services.simulator.domain.market import SyntheticMarket
from tests.generated import GeneratedFeed
from tests.integration.commands import settings_file
from tests.integration.processes import Running, asked, free_ports, running, status_of

DAY = date(2026, 6, 17)
MUHURAT = date(2025, 10, 21)
AFTER_MUHURAT = date(2025, 10, 23)
SEED = 7
SERVICES = ("candle", "executor", "position", "signal", "ingest", "strategy")
MINUTE_MS = 60_000
OHLCV = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class House:
    """A folder with settings for `up`, its database and its ports."""

    folder: Path
    address: StoreAddress
    first_port: int

    @contextmanager
    def up(self, *options: object) -> Iterator[Running]:
        """Run `alphastocks up` until the end of the block."""
        alphastocks = Path(sys.executable).with_name("alphastocks")
        config = self.folder / "alphastocks.toml"
        command = (alphastocks, "up", "--var", "tmp", "--config", config, *options)
        with running(command, self.folder) as process:
            yield process

    @property
    def ports(self) -> dict[str, int]:
        return {name: self.first_port + number for number, name in enumerate(SERVICES)}

    def wait_until_ready(self, process: Running) -> None:
        process.until(
            lambda: all(status_of(port) == 200 for port in self.ports.values()),
            "every service is ready",
        )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        async def ask() -> list[tuple[Any, ...]]:
            store = ClickHouseStore(self.address)
            try:
                return list(zip(*(await store.query(sql)).values(), strict=True))
            finally:
                await store.close()

        return asyncio.run(ask())

    def last_minute(self) -> int:
        """Close of the last stored one-minute candle, epoch ms; 0 without any."""
        ((closed_ms,),) = self.rows(
            "SELECT toUnixTimestamp64Milli(max(closes_at)) FROM historical_data "
            "WHERE source = 'live' AND interval = '1m'"
        )
        return int(closed_ms)

    def wait_for_minute(self, process: Running, close_ms: int) -> None:
        process.until(lambda: self.last_minute() >= close_ms, "the minutes are played")

    def positions(self) -> list[PositionEvent]:
        """Every event of positions in the journal, which nobody uses now."""

        async def read() -> list[PositionEvent]:
            bus: Bus = LocalBus(journal=Journal(self.folder / "tmp" / "journal"))
            await bus.start()
            events = [event_of(message) async for message in bus.read(["positions"])]
            await bus.stop()
            return [event for event in events if isinstance(event, PositionEvent)]

        return asyncio.run(read())

    def open_positions(self) -> dict[Any, PositionEvent]:
        last = {event.position_id: event for event in self.positions()}
        return {key: one for key, one in last.items() if not isinstance(one, PositionClosed)}


@pytest.fixture
def house(clickhouse_server: StoreAddress, tmp_path: Path) -> Iterator[House]:
    address = replace(clickhouse_server, database=f"test_up_{uuid4().hex[:8]}")
    first_port = free_ports(len(SERVICES))
    settings_file(tmp_path, address, f"[runtime]\nport = {first_port}\n")
    yield House(tmp_path, address, first_port)
    asyncio.run(_drop(address))


async def _drop(address: StoreAddress) -> None:
    store = ClickHouseStore(replace(address, database="default"))
    await store.execute(f"DROP DATABASE IF EXISTS `{address.database}` SYNC")
    await store.close()


async def uninterrupted(until_ms: int) -> dict[tuple[str, str, int], tuple[float, ...]]:
    """The candles of the same day played without a stop, as far as they close by a time."""
    market = SyntheticMarket(SEED, DAY, load_calendar(), load_rulebook())
    feed, settings = GeneratedFeed(market, DAY, 0), CandleSettings()
    aggregator = CandleAggregator(load_calendar(), settings.rules, settings.segments)
    for instrument in await feed.instruments():
        aggregator.list_instrument(listed(instrument, DAY, 0))
    connection = Connection("generated", DAY, 0, partitions=1)
    candles: dict[tuple[str, str, int], tuple[float, ...]] = {}
    async for frame in feed.frames():
        if frame.received_ms > until_ms + 10 * MINUTE_MS:
            break
        for batch in connection.cut(frame.columns, frame.received_ms):
            for made in aggregator.on_ticks(batch):
                for candle in made.candles():
                    if candle.closes_ms <= until_ms:
                        values = tuple(float(getattr(candle, name)) for name in OHLCV)
                        candles[candle.tradingsymbol, candle.interval, candle.opened_ms] = values
    return candles


def stored(house: House, until_ms: int) -> dict[tuple[str, str, int], tuple[float, ...]]:
    """The live candles of the table, as readers see them; fails when one is there twice."""
    rows = house.rows(
        "SELECT tradingsymbol, interval, toUnixTimestamp64Milli(opened_at), "
        f"{', '.join(OHLCV)} FROM historical_data FINAL WHERE source = 'live' "
        f"AND toUnixTimestamp64Milli(closes_at) <= {until_ms}"
    )
    candles = {row[:3]: tuple(float(value) for value in row[3:]) for row in rows}
    assert len(candles) == len(rows)
    return candles


def test_stopped_or_killed_it_goes_on_where_it_was_and_everything_is_there_once(
    house: House,
) -> None:
    with house.up("--speed", 2000) as first:
        house.wait_until_ready(first)
        opened = "SELECT count() FROM positions WHERE quantity > 0"
        first.until(lambda: house.rows(opened)[0][0] > 0, "a position is opened")
        assert first.end() == 0, first.last_words
    assert not first.has_left_something
    held, stopped_ms = house.open_positions(), house.last_minute()
    assert held

    with house.up("--speed", 0.01) as second:  # the market all but stands still
        house.wait_until_ready(second)
        assert "where it stopped" in second.out.read_text()
        assert asked(house.ports["position"], "/info")["open_positions"] == len(held)
        second.end(signal.SIGKILL)
    assert not second.has_left_something
    assert house.open_positions().keys() == held.keys()

    for minutes, number in ((7, signal.SIGKILL), (20, signal.SIGTERM)):
        with house.up("--speed", 2000) as later:
            house.wait_for_minute(later, stopped_ms + minutes * MINUTE_MS)
            status = later.end(number)
        assert status in {0, -signal.SIGKILL}, later.last_words
        assert not later.has_left_something

    compared_ms = house.last_minute() - 6 * MINUTE_MS  # later ones may still be revised
    assert stored(house, compared_ms) == asyncio.run(uninterrupted(compared_ms))
    opened_ids = [e.position_id for e in house.positions() if isinstance(e, PositionOpened)]
    assert len(opened_ids) == len(set(opened_ids))
    assert held.keys() <= set(opened_ids)


def test_after_the_end_of_a_session_the_next_start_plays_the_next_trading_day(
    house: House,
) -> None:
    with house.up("--date", MUHURAT, "--speed", 10_000) as first:
        assert first.wait() == 0, first.last_words
    session = load_calendar().sessions("NSE", MUHURAT)[-1]
    assert house.last_minute() == session.close_ms
    assert f"Playing {MUHURAT} from the open" in first.out.read_text()
    with house.up("--date", MUHURAT, "--speed", 0.01) as second:
        house.wait_until_ready(second)
        assert f"Playing {AFTER_MUHURAT} from the open" in second.out.read_text()
        assert asked(house.ports["ingest"], "/info")["trading_day"] == AFTER_MUHURAT.isoformat()
        assert second.end() == 0, second.last_words


def test_a_folder_or_a_port_in_use_is_named_in_one_line_and_nothing_is_left(house: House) -> None:
    with house.up("--speed", 0.01) as first:
        house.wait_until_ready(first)
        with house.up() as second, house.up("--var", "other") as third:
            assert (second.wait(), third.wait()) == (2, 2)
        assert "in use by another alphastocks" in second.said
        assert f"runtime.port: no listening on 127.0.0.1:{house.first_port}" in third.said
        assert "Traceback" not in second.said + third.said
        assert not any(process.has_left_something for process in (second, third))
        assert first.end() == 0
