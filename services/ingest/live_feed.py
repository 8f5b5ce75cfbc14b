"""A broker as a feed: requests for dump and history, a stream for ticks."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from libs.broker.errors import DumpRefused, RequestRefused
from libs.broker.port.market import LastQuote, MarketData, TickStream
from libs.market.calendar import Calendar, day_in_india, load_calendar
from libs.market.dump import Dump
from libs.market.instruments import Instrument
from libs.market.market_hours import MarketHours
from libs.runtime.brokers.market import connect_market
from libs.runtime.brokers.registry import BrokerSections
from libs.runtime.brokers.surroundings import surroundings
from libs.runtime.clock import ClockKind, WallClock, make_clock, monotonic_ms
from libs.runtime.health import Waiting
from libs.runtime.metrics import Metrics
from libs.runtime.settings import SettingsError
from services.ingest.asking import asked
from services.ingest.day_log import DayLog
from services.ingest.domain.arrivals import Moment
from services.ingest.domain.following import Following
from services.ingest.domain.history import HistoryRules
from services.ingest.domain.spread import Spread, SpreadError, spread
from services.ingest.domain.universe import Universe, UniverseError
from services.ingest.domain.universe_rules import UniverseRules
from services.ingest.feed import Backfill, BrokerHistory, Frame
from services.ingest.feed_log import FeedLog
from services.ingest.lines import Line
from services.ingest.live_day import ENDS_AFTER_MS, LiveDay
from services.ingest.settings import IngestSettings


class ConnectionLimits(NamedTuple):
    """How many connections ticks may come over, and the most instruments of each."""

    connections: int = 1
    instruments: int = 3000


@dataclass(slots=True)
class LiveFeed:
    """One trading day at a broker, or at a simulator of one.

    With the wall clock, the day is the machine's, and time goes on by itself from the exchange's
    last stamp. With the feed's clock (a simulator, at any speed) both follow the stamps alone.
    """

    market_data: MarketData
    make_stream: Callable[[], TickStream]
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
    feed_log: FeedLog = field(default_factory=FeedLog)
    limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    _day: date | None = None
    _opened_ms: int = 0
    _universe: Universe | None = None
    _tokens: dict[str, int] = field(default_factory=dict)
    _spots: dict[int, float] = field(default_factory=dict)
    _held: frozenset[int] = frozenset()
    _lines: list[tuple[TickStream, Following]] = field(default_factory=list)
    _live: LiveDay | None = None
    _taken_before: int = 0

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
        quotes = await asked(lambda: self.market_data.quotes(keys)) if keys else {}
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
            quotes = await asked(lambda: self.market_data.quotes(keys))
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
            dump = await asked(lambda: self.market_data.instruments(exchange))
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

    async def frames(self, partitions: int = 1) -> AsyncIterator[Frame]:
        """Yield frames until `ENDS_AFTER_MS` after the last close; heartbeats have no rows.

        SettingsError if there are more instruments than the connections take.
        """
        day = self._live = self._begun(partitions)
        async with aclosing(day.frames()) as frames:  # each day has its own connections
            async for frame in frames:
                yield frame

    @property
    def frames_taken(self) -> int:
        """Frames with ticks that were handled, over all days."""
        return self._taken_before + (self._live.frames_taken if self._live else 0)

    def describe(self) -> dict[str, Any]:
        """Return what the connections are doing."""
        return self.feed_log.describe()

    def _begun(self, partitions: int) -> LiveDay:
        """Return the day as it begins, with its instruments spread over the connections."""
        self._taken_before = self.frames_taken
        universe, most = self._known(), self.limits.instruments
        wanted = universe.wanted(self._spots, self._held)
        try:
            spread_ = spread(wanted, partitions, self.limits.connections, most)
        except SpreadError as error:
            raise SettingsError(str(error)) from None
        return LiveDay(
            trading_day=self.trading_day,
            market_data=self.market_data,
            universe=universe,
            spread=spread_,
            most=most,
            lines=[self._line(number, spread_) for number in range(spread_.connections)],
            calendar=self.calendar,
            kind=self.clock,
            moment=lambda: Moment(self.wall_ms(), self.monotonic_ms()),
            waiting=self.waiting,
            log=self.feed_log,
            ends_ms=self._ends_ms(),
            spots=self._spots,
            held=self._held,
        )

    def _line(self, number: int, spread_: Spread) -> Line:
        """Return a connection, which keeps its subscriptions from day to day."""
        while len(self._lines) <= number:
            self._lines.append((self.make_stream(), Following()))
        own = None if spread_.connections == 1 else spread_.partitions_of(number)
        return Line(*self._lines[number], own)

    def _ends_ms(self) -> int:
        """Return when the last exchange of the universe has closed, and its candles."""
        return self.hours.sessions(self.trading_day)[-1].close_ms + ENDS_AFTER_MS

    def follow(self, instrument_tokens: Collection[int]) -> None:
        """Subscribe to these contracts from the next frame on."""
        self._held = frozenset(instrument_tokens)
        if self._live is not None:
            self._live.follow(self._held)

    async def close(self) -> None:
        """Close the websockets and the REST connections."""
        for stream, _ in self._lines:
            await stream.close()
        await self.market_data.close()

    def _today(self, quotes: Collection[LastQuote]) -> date:
        if self.clock == "wall":
            return day_in_india(self.wall_ms())
        stamps = [one.at_ms for one in quotes if one.at_ms is not None]
        if not stamps:
            raise SettingsError(f"ingest.universe: no quote for {', '.join(self.rules.quoted)}")
        return day_in_india(max(stamps))

    def _known(self) -> Universe:
        if self._universe is None:
            raise RuntimeError("instruments() was not called yet")
        return self._universe


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
        make_stream=broker.tick_stream,
        rules=settings.universe,
        history=settings.history,
        calendar=load_calendar(),
        source=name,
        clock=kind,
        waiting=waiting or Waiting(),
        day_log=DayLog(metrics.feed) if metrics else DayLog(),
        feed_log=FeedLog(metrics.feed) if metrics else FeedLog(),
        limits=ConnectionLimits(settings.connections, settings.instruments_a_connection),
        origin=f"{name} {sections.kite.root}",
    )
