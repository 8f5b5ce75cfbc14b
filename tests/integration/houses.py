"""A folder in which `alphastocks up` runs, and what it has to have stored."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from libs.events.bus import Bus
from libs.events.codec import event_of
from libs.events.embedded.bus import LocalBus
from libs.events.embedded.journal import Journal
from libs.events.positions import PositionClosed, PositionEvent
from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from libs.store.clickhouse import ClickHouseStore
from libs.store.store import StoreAddress
from services.candle.domain.aggregator import CandleAggregator
from services.candle.settings import CandleSettings
from services.ingest.domain.connection import Connection
from services.ingest.domain.listing import listed
from services.local.catalogue import SERVICES
from services.simulator.domain.market.synthetic import SyntheticMarket
from tests.generated import GeneratedFeed
from tests.integration.processes import Running, running, status_of

DAY = date(2026, 6, 17)
SEED = 7
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
        return {entry.name: self.first_port + entry.port_offset for entry in SERVICES}

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

    def first_minute(self) -> int:
        """Close of the day's first one-minute candle, epoch ms."""
        return load_calendar().sessions("NSE", DAY)[0].open_ms + MINUTE_MS

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
