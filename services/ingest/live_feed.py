"""A broker as a feed: the dump and history by requests, ticks by its stream."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TypeVar

import numpy as np

from libs.broker.errors import SessionError
from libs.broker.port.market import LastQuote, MarketData, TickFrame, TickStream
from libs.events.candles import Interval
from libs.events.event import utc_from_ms
from libs.events.ticks import TickColumns
from libs.market.calendar import IST, Calendar, load_calendar, midnight
from libs.market.instruments import Instrument
from libs.runtime.brokers.market import connect_market
from libs.runtime.brokers.registry import BrokerSections
from libs.runtime.brokers.surroundings import surroundings
from libs.runtime.clock import ClockKind, WallClock, make_clock
from libs.runtime.logs import logger_of
from libs.runtime.metrics import Metrics
from libs.runtime.retry import retrying
from libs.runtime.settings import SettingsError
from services.ingest.domain.arrival import FeedArrival
from services.ingest.domain.history import FetchedCandles, HistoryRules, batches_of, gaps_of
from services.ingest.domain.universe import Universe, UniverseError, UniverseRules
from services.ingest.feed import Backfill, Frame
from services.ingest.settings import IngestSettings

ATTEMPTS = 20
ENDS_AFTER_MS = 3_000
RECENTRE_MS = 60_000
SESSION_SECONDS = 1.0
T = TypeVar("T")


@dataclass(slots=True)
class LiveFeed:
    """One trading day at a broker, or at a simulator of one.

    With the wall clock the day is today and a frame arrives when it arrives. With the feed's
    clock (a simulator, at any speed) both are told by what the exchange says.
    """

    market_data: MarketData
    stream: TickStream
    rules: UniverseRules
    history: HistoryRules
    calendar: Calendar
    source: str
    clock: ClockKind = "wall"
    frames_taken: int = 0
    _day: date | None = None
    _universe: Universe | None = None
    _spots: dict[int, float] = field(default_factory=dict)
    _held: frozenset[int] = frozenset()
    _subscribed: frozenset[int] = frozenset()
    _is_stale: bool = False
    _centred_ms: int = 0

    @property
    def trading_day(self) -> date:
        """The day of the session that is followed."""
        if self._day is None:
            raise RuntimeError("the feed is not open yet")
        return self._day

    async def today(self) -> date:
        """Return what day it is: by the wall, or at the exchange."""
        if self.clock == "wall":
            return self._today(())
        quotes = await self.market_data.quotes(self.rules.underlyings)
        return self._today(quotes.values())

    async def open(self) -> None:
        """Find out the day and the prices of the underlyings; SettingsError on a closed day."""
        quotes = await _patiently(lambda: self.market_data.quotes(self.rules.underlyings))
        self._spots = {one.instrument_token: one.last_price for one in quotes.values()}
        self._day = self._today(quotes.values())
        reason = self.calendar.closed_reason("NSE", self._day)
        if reason is not None:
            raise SettingsError(f"no ticks today: the market is closed on {self._day} ({reason})")

    async def instruments(self) -> Sequence[Instrument]:
        """Return the underlyings and the options of their nearest expiries, from the dump.

        Raises SettingsError for a universe that the dump does not hold.
        """
        exchanges = sorted({key.partition(":")[0] for key in self.rules.underlyings} | {"NFO"})
        dump: list[Instrument] = []
        for exchange in exchanges:
            dump += await _patiently(lambda name=exchange: self.market_data.instruments(name))  # type: ignore[misc]
        try:
            self._universe = Universe(dump, self.rules, self.trading_day)
        except UniverseError as error:
            raise SettingsError(str(error)) from None
        return self._universe.instruments

    async def backfill(self, partitions: int) -> Backfill:
        """Return the history of the underlyings; what is missing from it is told."""
        until, since = self.trading_day, self.trading_day - timedelta(days=self.history.days)
        fetched = [
            await self._fetch(instrument, interval, since, until)
            for instrument in self._known().underlyings
            for interval in self.history.intervals
        ]
        batches = batches_of(fetched, until, self.calendar, partitions)
        days = tuple(sorted({batch.trading_day for batch in batches}))
        count = len(self._known().underlyings)
        return Backfill(days, batches, tuple(gaps_of(batches, count, since, until, self.calendar)))

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield frames until the clock is past the day's last close; heartbeats are empty ones."""
        arrival = self._arrival()
        closes = [self.calendar.sessions(name, self.trading_day) for name in ("NSE", "NFO")]
        ends_ms = max(sessions[-1].close_ms for sessions in closes if sessions) + ENDS_AFTER_MS
        await self._recentre(0)
        received_ms = 0
        async with aclosing(self._decoded()) as frames:  # the next day has a connection of its own
            async for decoded in frames:
                columns = decoded.columns(arrival(TickColumns.empty()))
                received_ms = arrival(columns)
                if received_ms:
                    self._learn(columns)
                    yield Frame(received_ms, columns)
                if received_ms >= ends_ms:
                    return
                if self._is_stale or received_ms - self._centred_ms >= RECENTRE_MS:
                    await self._recentre(received_ms)
                self.frames_taken += len(decoded) > 0

    async def _decoded(self) -> AsyncGenerator[TickFrame]:
        """Yield what the websocket brings; where the session is over, wait for another one."""
        log, is_told = logger_of("ingest"), False
        while True:
            try:
                async with aclosing(self.stream.frames()) as frames:
                    async for decoded in frames:
                        is_told = False
                        yield decoded
                return
            except SessionError as error:
                if not is_told:
                    log.error("no ticks until there is a session", reason=str(error))
                is_told = True
                await asyncio.sleep(SESSION_SECONDS)

    def follow(self, instrument_tokens: Collection[int]) -> None:
        """Subscribe to these contracts from the next frame on."""
        held = frozenset(instrument_tokens)
        self._is_stale |= held != self._held
        self._held = held

    async def close(self) -> None:
        """Close the websocket and the REST connections."""
        await self.stream.close()
        await self.market_data.close()

    def _today(self, quotes: Collection[LastQuote]) -> date:
        if self.clock == "wall":
            return _day_of(WallClock().now_ms())
        stamps = [one.at_ms for one in quotes if one.at_ms is not None]
        if not stamps:
            raise SettingsError(
                f"ingest.universe: no quote for {', '.join(self.rules.underlyings)}"
            )
        return _day_of(max(stamps))

    def _arrival(self) -> Callable[[TickColumns], int]:
        if self.clock == "wall":
            wall = WallClock()
            return lambda _: wall.now_ms()
        told = FeedArrival(self.trading_day)
        return lambda columns: told.of(columns.exchange_timestamp)

    async def _fetch(
        self, instrument: Instrument, interval: Interval, since: date, until: date
    ) -> FetchedCandles:
        from_at, to_at = midnight(since), midnight(until) - timedelta(seconds=1)
        candles = await _patiently(
            lambda: self.market_data.candles(instrument.instrument_token, interval, from_at, to_at)
        )
        return FetchedCandles(instrument, interval, candles)

    def _learn(self, columns: TickColumns) -> None:
        """Remember the underlyings' prices."""
        tokens = self._known().underlying_tokens
        rows = np.flatnonzero(np.isin(columns.instrument_token, list(tokens)))
        for row in rows.tolist():
            price = float(columns.last_price[row])
            if price > 0:
                self._spots[int(columns.instrument_token[row])] = price

    async def _recentre(self, at_ms: int) -> None:
        """Subscribe to what is near the money or held now, and let go of what no longer is."""
        self._centred_ms, self._is_stale = at_ms, False
        wanted = self._known().wanted(self._spots, self._held)
        added, gone = wanted - self._subscribed, self._subscribed - wanted
        if gone:
            await self.stream.unsubscribe(sorted(gone))
        if added:
            await self.stream.subscribe(sorted(added), "full")
        self._subscribed = wanted

    def _known(self) -> Universe:
        if self._universe is None:
            raise RuntimeError("the instruments were not asked for yet")
        return self._universe


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Call until it succeeds; errors that time can mend are tried so many times."""
    log, tried = logger_of("ingest"), 0

    def on_trouble(error: Exception) -> None:
        nonlocal tried
        tried += 1
        log.warning("the broker does not answer, trying again", reason=str(error), tried=tried)

    return await retrying(call, on_trouble, lambda: tried >= ATTEMPTS)


def _day_of(at_ms: int) -> date:
    return utc_from_ms(at_ms).astimezone(IST).date()


def make_live_feed(
    name: str,
    settings: IngestSettings,
    sections: BrokerSections,
    kind: ClockKind,
    metrics: Metrics | None = None,
) -> LiveFeed:
    """Return the feed of a broker's account; SettingsError for settings that do not do."""
    broker = connect_market(name, sections, surroundings("ingest", kind, make_clock(kind), metrics))
    return LiveFeed(
        market_data=broker.market_data(),
        stream=broker.tick_stream(),
        rules=settings.universe,
        history=settings.history,
        calendar=load_calendar(),
        source=name,
        clock=kind,
    )
