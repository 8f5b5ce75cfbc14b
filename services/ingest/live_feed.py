"""A broker as a feed: requests for dump and history, a stream for ticks."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

import numpy as np

from libs.broker.errors import DumpRefused, RequestRefused, SessionError
from libs.broker.port.market import LastQuote, MarketData, Mode, TickFrame, TickStream
from libs.events.event import utc_from_ms
from libs.events.ticks import TickColumns
from libs.market.calendar import IST, Calendar, load_calendar
from libs.market.closing_auction import closing_auction
from libs.market.dump import Dump
from libs.market.instruments import Instrument
from libs.market.market_hours import MarketHours
from libs.runtime.brokers.market import connect_market
from libs.runtime.brokers.registry import BrokerSections
from libs.runtime.brokers.surroundings import surroundings
from libs.runtime.clock import ClockKind, WallClock, make_clock, monotonic_ms
from libs.runtime.health import LOGIN, Waiting
from libs.runtime.logs import logger_of
from libs.runtime.metrics import Metrics
from libs.runtime.retry import retrying
from libs.runtime.settings import SettingsError
from services.ingest.day_log import DayLog
from services.ingest.domain.arrival import FeedArrival
from services.ingest.domain.exchange_clock import ExchangeClock
from services.ingest.domain.history import HistoryRules
from services.ingest.domain.silence import WITH_INDEX_MS, WITHOUT_INDEX_MS, Silence
from services.ingest.domain.universe import Universe, UniverseError
from services.ingest.domain.universe_rules import UniverseRules
from services.ingest.feed import Backfill, BrokerHistory, Frame
from services.ingest.settings import IngestSettings

ATTEMPTS = 20
ENDS_AFTER_MS = 3_000
RECENTRE_MS = 60_000
SESSION_SECONDS = 1.0
T = TypeVar("T")


@dataclass(slots=True)
class LiveFeed:
    """One trading day at a broker, or at a simulator of one.

    With the wall clock, the day is the machine's, and time goes on by itself from the exchange's
    last stamp. With the feed's clock (a simulator, at any speed) both follow the stamps alone.
    """

    market_data: MarketData
    stream: TickStream
    rules: UniverseRules
    history: HistoryRules
    calendar: Calendar
    source: str
    clock: ClockKind = "wall"
    waiting: Waiting = field(default_factory=Waiting)
    wall_ms: Callable[[], int] = WallClock().now_ms
    monotonic_ms: Callable[[], int] = monotonic_ms
    day_log: DayLog = field(default_factory=DayLog)
    origin: str = ""
    frames_taken: int = 0
    _day: date | None = None
    _opened_ms: int = 0
    _universe: Universe | None = None
    _tokens: dict[str, int] = field(default_factory=dict)
    _spots: dict[int, float] = field(default_factory=dict)
    _held: frozenset[int] = frozenset()
    _subscribed: dict[int, Mode] = field(default_factory=dict)
    _is_stale: bool = False
    _centred_ms: int = 0
    _by_wall: ExchangeClock | None = None
    _by_feed: FeedArrival | None = None

    @property
    def trading_day(self) -> date:
        """The day of the session; RuntimeError before `open`."""
        if self._day is None:
            raise RuntimeError("the feed is not open yet")
        return self._day

    @property
    def hours(self) -> MarketHours:
        """Days and hours of the exchanges whose instruments are followed."""
        return MarketHours(self.calendar, self.rules.exchanges)

    async def today(self) -> date:
        """Return the current day, by the wall clock or at the exchange."""
        if self.clock == "wall":
            return self._today(())
        quotes = await self.market_data.quotes(await self._dated_keys())
        return self._today(quotes.values())

    async def open(self) -> None:
        """Find out the day and the prices of the underlyings; SettingsError on a closed day."""
        keys = await self._dated_keys()
        quotes = await _with_retries(lambda: self.market_data.quotes(keys)) if keys else {}
        self._spots = {one.instrument_token: one.last_price for one in quotes.values()}
        self._day = self._today(quotes.values())
        self._opened_ms = max((one.at_ms or 0 for one in quotes.values()), default=0)
        reason = self.hours.closed_reason(self._day)
        if reason is not None:
            raise SettingsError(f"no ticks today: the market is closed on {self._day} ({reason})")

    async def instruments(self) -> Sequence[Instrument]:
        """Return the underlyings and the options of their nearest expiries, from the dumps.

        Raises SettingsError for a universe of which the dumps hold nothing, and for a dump of which
        most cannot be read.
        """
        self.day_log.begin(self.trading_day)
        listed: list[Instrument] = []
        for exchange in self.rules.exchanges:
            listed += (await self._dump(exchange)).instruments
        try:
            self._universe = Universe(listed, self.rules, self.trading_day, self._tokens)
        except UniverseError as error:
            raise SettingsError(str(error)) from None
        self._tokens |= {one.key: one.instrument_token for one in self._universe.followed}
        self.day_log.note_universe(self._universe)
        await self._quote_spots(self._universe)
        return self._universe.instruments

    async def _quote_spots(self, universe: Universe) -> None:
        """Ask for the prices of the futures that options are centred on."""
        keys = [key for token, key in universe.spot_keys.items() if token not in self._spots]
        if keys:
            quotes = await _with_retries(lambda: self.market_data.quotes(keys))
            self._spots |= {one.instrument_token: one.last_price for one in quotes.values()}

    async def _dated_keys(self) -> Sequence[str]:
        """Return the underlyings, whose quotes tell the day; without any, something else."""
        keys = self.rules.underlyings or self.rules.quoted[:1]
        if keys or self.clock == "wall":
            return keys
        dumps = [await self._dump(exchange) for exchange in self.rules.exchanges]
        return [dump.instruments[0].key for dump in dumps if dump.instruments]

    async def _dump(self, exchange: str) -> Dump:
        """Return the dump of an exchange, an empty one where the broker has none."""
        try:
            dump = await _with_retries(lambda: self.market_data.instruments(exchange))
        except DumpRefused as error:
            raise SettingsError(f"the instrument dump of {exchange} is refused: {error}") from None
        except RequestRefused as error:
            self.day_log.note_no_dump(exchange, str(error))
            return Dump()
        self.day_log.note_left_out(exchange, dump.left_out)
        return dump

    async def backfill(self, partitions: int) -> Backfill:
        """Return how the history of what makes candles is asked for."""
        is_simulated = self.clock == "feed"
        return Backfill(
            broker=BrokerHistory(
                self.market_data,
                self._known().with_candles,
                self.history,
                self.origin or self.source,
                (lambda: self._opened_ms) if is_simulated else self.wall_ms,
                waits=is_simulated,
            )
        )

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield frames until `ENDS_AFTER_MS` after the last close; heartbeats have no rows."""
        arrived, silence = self._arrivals(), Silence()
        ends_ms = self.hours.sessions(self.trading_day)[-1].close_ms + ENDS_AFTER_MS
        await self._recentre(0)
        async with aclosing(self._decoded()) as frames:  # each day has its own connection
            async for decoded in frames:
                columns = decoded.columns(self._exchange_ms())
                received_ms, is_news = (0, False) if decoded.is_garbage else arrived(columns)
                await self._watch(silence, received_ms, is_news=is_news)
                if received_ms:
                    self._note_spots(columns)
                    yield Frame(received_ms, columns, self._offset_ms(), is_news)
                if (received_ms or self._exchange_ms() or self._now_ms()) >= ends_ms:
                    return
                if self._is_stale or received_ms - self._centred_ms >= RECENTRE_MS:
                    await self._recentre(received_ms)
                self.frames_taken += len(decoded) > 0

    async def _decoded(self) -> AsyncGenerator[TickFrame]:
        """Yield the websocket's frames; when the session has ended, wait for a new one."""
        log, is_logged = logger_of("ingest"), False
        while True:
            try:
                async with aclosing(self.stream.frames()) as frames:
                    async for decoded in frames:
                        is_logged, self.waiting.reason = False, ""
                        yield decoded
                return
            except SessionError as error:
                if not is_logged:
                    log.error("no ticks, waiting for a broker session", reason=str(error))
                is_logged = True
                self.waiting.reason = f"{LOGIN} ({error})"
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
            return _day_of(self.wall_ms())
        stamps = [one.at_ms for one in quotes if one.at_ms is not None]
        if not stamps:
            raise SettingsError(f"ingest.universe: no quote for {', '.join(self.rules.quoted)}")
        return _day_of(max(stamps))

    def _arrivals(self) -> Callable[[TickColumns], tuple[int, bool]]:
        """Return what tells when a frame arrived (epoch ms, by the exchange), and if it is news."""
        if self.clock == "feed":
            by_feed = self._by_feed = FeedArrival(self.trading_day)
            return lambda columns: (by_feed.of(columns.exchange_timestamp), len(columns) > 0)
        clock = self._by_wall = ExchangeClock(self.trading_day)
        return lambda columns: clock.arrived(
            columns.exchange_timestamp, self.wall_ms(), self.monotonic_ms()
        )

    async def _watch(self, silence: Silence, received_ms: int, *, is_news: bool) -> None:
        """Replace a connection that brings no news; say once when new ones are silent too."""
        now_ms, log = self.monotonic_ms(), logger_of("ingest")
        was_halt = silence.is_halt
        if is_news:
            silence.heard(now_ms)
            if was_halt:
                log.info("ticks come again")
        elif silence.is_too_long(now_ms, self._patience_ms(received_ms or self._exchange_ms())):
            if silence.is_halt and not was_halt:
                log.error("new connections are silent too: the exchange or the line has halted")
            await self.stream.replace()

    def _patience_ms(self, at_ms: int) -> int:
        """Return how long ticks may be missing at a time; 0 where none are expected.

        A simulated market goes by another time than this machine's. In the closing auction indices
        stand still.
        """
        if self.clock == "feed":
            return 0
        at_ms = at_ms or self.wall_ms()
        if not self.hours.is_open(at_ms):
            return 0
        auction = closing_auction(self.trading_day)
        in_india = utc_from_ms(at_ms).astimezone(IST).time()
        is_quoted = self.calendar.is_in_session("NSE", at_ms)
        is_quoted &= auction is None or in_india < auction.begins
        has_index = any(one.is_index for one in self._known().underlyings)
        return WITH_INDEX_MS if has_index and is_quoted else WITHOUT_INDEX_MS

    def _now_ms(self) -> int:
        """Return the machine's time, where it plays a part: without a stamp it ends the day."""
        return self.wall_ms() if self.clock == "wall" else 0

    def _exchange_ms(self) -> int:
        """Return the time at the exchange, 0 before its first stamp."""
        if self._by_wall is not None:
            return self._by_wall.now_ms(self.monotonic_ms())
        return self._by_feed.of(np.empty(0, np.int64)) if self._by_feed is not None else 0

    def _offset_ms(self) -> int:
        return self._by_wall.offset_ms if self._by_wall is not None else 0

    def _note_spots(self, columns: TickColumns) -> None:
        """Note the underlyings' latest prices."""
        tokens = self._known().underlying_tokens
        rows = np.flatnonzero(np.isin(columns.instrument_token, list(tokens)))
        for row in rows.tolist():
            price = float(columns.last_price[row])
            if price > 0:
                self._spots[int(columns.instrument_token[row])] = price

    async def _recentre(self, at_ms: int) -> None:
        """Subscribe to what is near the money or held now, and unsubscribe from the rest."""
        self._centred_ms, self._is_stale = at_ms, False
        wanted = self._known().modes(self._spots, self._held)
        if gone := self._subscribed.keys() - wanted.keys():
            await self.stream.unsubscribe(sorted(gone))
        changed = {one: mode for one, mode in wanted.items() if self._subscribed.get(one) != mode}
        for mode in sorted(set(changed.values())):
            added = sorted(token for token, own in changed.items() if own == mode)
            await self.stream.subscribe(added, mode)
        self._subscribed = wanted

    def _known(self) -> Universe:
        if self._universe is None:
            raise RuntimeError("instruments() was not called yet")
        return self._universe


async def _with_retries(call: Callable[[], Awaitable[T]]) -> T:
    """Call until it succeeds; retriable errors are retried up to `ATTEMPTS` times."""
    log, tried = logger_of("ingest"), 0

    def report(error: Exception) -> None:
        nonlocal tried
        tried += 1
        log.warning("the broker does not answer, retrying", reason=str(error), tried=tried)

    return await retrying(call, report, lambda: tried >= ATTEMPTS)


def _day_of(at_ms: int) -> date:
    return utc_from_ms(at_ms).astimezone(IST).date()


def make_live_feed(
    name: str,
    settings: IngestSettings,
    sections: BrokerSections,
    kind: ClockKind,
    metrics: Metrics | None = None,
    waiting: Waiting | None = None,
) -> LiveFeed:
    """Return the feed of a broker's account; SettingsError for unusable settings.

    `waiting` is told when the session has ended and the feed waits for a login.
    """
    broker = connect_market(name, sections, surroundings("ingest", kind, make_clock(kind), metrics))
    return LiveFeed(
        market_data=broker.market_data(),
        stream=broker.tick_stream(),
        rules=settings.universe,
        history=settings.history,
        calendar=load_calendar(),
        source=name,
        clock=kind,
        waiting=waiting or Waiting(),
        day_log=DayLog(metrics.feed) if metrics else DayLog(),
        origin=f"{name} {sections.kite.root}",
    )
