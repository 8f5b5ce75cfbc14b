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
from libs.events.candles import CandleBatch
from libs.events.codec import event_of, record_of
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
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE
from tests.integration.commands import settings_file
from tests.integration.processes import Running, running, status_of

DAY = date(2026, 6, 17)
SEED = 7
MINUTE_MS = 60_000
SMALL = """
[ingest]
history = { days = 3, intervals = ["1m"] }
[ingest.universe]
underlyings = ["NSE:NIFTY 50", "NSE:RELIANCE", "NSE:SBIN"]
expiries = 1
near_strikes = 3
[strategy]
strategies = [{ name = "ma_crossover", parameters = { interval = "1m", fast = 3, slow = 8 } }]
"""
"""An index and two stocks, and a strategy that trades them within minutes."""
SYMBOLS = ("NIFTY 50", "RELIANCE", "SBIN")
ASK_SECONDS = 0.2
"""Between two questions to services or tables: often enough, and little beside the work itself."""
OHLCV = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class House:
    """A folder with settings for `up`, its database and its ports."""

    folder: Path
    address: StoreAddress
    first_port: int

    def set(self, settings: str) -> None:
        """Write the settings file: database, ports and these settings."""
        settings_file(self.folder, self.address, f"[runtime]\nport = {self.first_port}\n{settings}")

    @contextmanager
    def up(self, *options: object) -> Iterator[Running]:
        """Run `alphastocks up` until the end of the block."""
        command = Path(sys.executable).with_name("alphastocks")
        with running((command, *self.words(*options)), self.folder) as process:
            yield process

    def words(self, *options: object) -> tuple[object, ...]:
        """The words of the command `up`, as it is run in the folder."""
        return ("up", "--var", "tmp", "--config", self.folder / "alphastocks.toml", *options)

    @property
    def ports(self) -> dict[str, int]:
        return {entry.name: self.first_port + entry.port_offset for entry in SERVICES}

    def wait_until_ready(self, process: Running) -> None:
        process.until(
            lambda: all(status_of(port) == 200 for port in self.ports.values()),
            "every service is ready",
            ASK_SECONDS,
        )

    def wait_for_row(self, process: Running, sql: str, what: str) -> None:
        """Wait until the first value of SQL is true."""
        process.until(lambda: bool(self.rows(sql)[0][0]), what, ASK_SECONDS)

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
        process.until(lambda: self.last_minute() >= close_ms, "the minutes are played", ASK_SECONDS)

    def positions(self) -> list[PositionEvent]:
        """Every event of positions in the journal, which nobody uses now."""

        async def read() -> list[PositionEvent]:
            bus: Bus = LocalBus(journal=Journal(self.folder / "tmp" / "journal"))
            await bus.start()
            events = [event_of(message) async for message in bus.read(["positions"])]
            await bus.stop()
            return [event for event in events if isinstance(event, PositionEvent)]

        return asyncio.run(read())

    def stop_at(self, day: date, at_ms: int) -> None:
        """Leave the journal of a run that stopped at a time of a day: the candles up to there."""

        async def write() -> None:
            bus: Bus = LocalBus(journal=Journal(self.folder / "tmp" / "journal"))
            await bus.start()
            for batch in candle_batches(day, at_ms):
                await bus.publish(record_of(batch))
            await bus.flush()
            await bus.stop()

        asyncio.run(write())

    def open_positions(self) -> dict[Any, PositionEvent]:
        last = {event.position_id: event for event in self.positions()}
        return {key: one for key, one in last.items() if not isinstance(one, PositionClosed)}


def uninterrupted(until_ms: int) -> dict[tuple[str, str, int], tuple[float, ...]]:
    """The candles of the same day played without a stop, as far as they close by a time."""
    candles: dict[tuple[str, str, int], tuple[float, ...]] = {}
    for made in candle_batches(DAY, until_ms + 10 * MINUTE_MS):
        for candle in made.candles():
            if candle.closes_ms <= until_ms:
                values = tuple(float(getattr(candle, name)) for name in OHLCV)
                candles[candle.tradingsymbol, candle.interval, candle.opened_ms] = values
    return candles


def candle_batches(day: date, until_ms: int) -> Iterator[CandleBatch]:
    """What the candle service makes of a day of the small market, up to a time."""
    calendar, settings = load_calendar(), CandleSettings()
    specs = [spec for spec in DEFAULT_UNIVERSE if spec.tradingsymbol in SYMBOLS]
    market = SyntheticMarket(SEED, day, calendar, load_rulebook(), specs)
    aggregator = CandleAggregator(calendar, settings.rules, settings.segments)
    for instrument in market.underlyings:
        aggregator.list_instrument(listed(instrument, day, 0))
    connection = Connection("generated", day, 0, partitions=1)
    for frame in market.underlying_frames():
        if frame.at_ms > until_ms:
            return
        for batch in connection.cut(frame.columns, frame.at_ms):
            yield from aggregator.on_ticks(batch)


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
