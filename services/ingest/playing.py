"""Publishes the frames of a day: cut by partition, with the clock of their connection."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date

from libs.events.bus import Bus
from libs.events.control import FeedCameBack, FeedFellSilent
from libs.events.event import utc_from_ms
from libs.events.ticks import TickBatch
from libs.market.market_hours import MarketHours
from libs.runtime.clock import monotonic_ms
from libs.runtime.logs import logger_of
from libs.runtime.past import past_events
from libs.runtime.service import Parts
from libs.runtime.subscription import Emit
from services.ingest.domain.connection import Connection
from services.ingest.domain.exchange_clock import TOLD_MS
from services.ingest.feed import Feed, Frame

Pace = Callable[[int], Awaitable[None]]
"""Called after each frame with its time (epoch ms): waits until the next one is due."""
OnBatch = Callable[[TickBatch], None]


@dataclass(slots=True)
class Played:
    """Progress: the last day played, the last one announced with its hours, and counts.

    `last_tick_ms` (monotonic) is when the last tick arrived.
    """

    hours: MarketHours
    day: date | None = None
    announced: date | None = None
    frames: int = 0
    ticks: int = 0
    last_tick_ms: int = field(default_factory=monotonic_ms)

    def note(self, ticks: int, *, is_news: bool) -> None:
        """Count a frame; what a new subscription repeats is no sign of life."""
        self.frames += 1
        self.ticks += ticks
        if ticks and is_news:
            self.last_tick_ms = monotonic_ms()


@dataclass(slots=True)
class _OffsetTold:
    """Logs when the machine's clock is found to be off, and when it is right again."""

    offset_ms: int = 0

    def hear(self, offset_ms: int) -> None:
        """Log a change of more than a second."""
        if abs(offset_ms - self.offset_ms) <= TOLD_MS:
            return
        self.offset_ms = offset_ms
        log = logger_of("ingest")
        if offset_ms:
            log.warning(
                "this machine's clock is off: set it by NTP; over 2 s no position is opened",
                ahead_of_the_exchange_seconds=offset_ms / 1000,
            )
        else:
            log.info("this machine's clock agrees with the exchange's again")


@dataclass(slots=True)
class _Connections:
    """The connections of a day, each with a clock of its own."""

    source: str
    trading_day: date
    partitions: int
    on_batch: OnBatch
    clock_ms: int = 0
    _by_number: dict[int, Connection] = field(default_factory=dict)

    async def publish(self, frame: Frame, emit: Emit) -> int:
        """Publish the batches of a frame; return how many ticks they have."""
        connection, ticks = self._of(frame), 0
        for batch in connection.cut(
            frame.columns,
            frame.received_ms,
            frame.offset_ms,
            time_is_arrival=frame.time_is_arrival,
        ):
            await emit(batch)
            self.on_batch(batch)
            ticks += len(batch.columns)
        self.clock_ms = max(self.clock_ms, connection.clock_ms)
        return ticks

    def _of(self, frame: Frame) -> Connection:
        """Return the frame's connection; after a restart it begins later, so its ids differ."""
        number = frame.connection
        if number not in self._by_number:
            self._by_number[number] = Connection(
                self.source,
                self.trading_day,
                frame.received_ms,
                self.partitions,
                number,
                frame.partitions,
            )
        return self._by_number[number]


@dataclass(slots=True)
class _SilenceTold:
    """Publishes when every connection is silent, and when ticks come again."""

    source: str
    trading_day: date
    is_silent: bool = False

    async def recall(self, bus: Bus) -> None:
        """Find out what was said last: another run of the service may have said it."""
        async for event in past_events(bus, ("control",), logger_of("ingest")):
            if isinstance(event, (FeedFellSilent, FeedCameBack)):
                self.is_silent = isinstance(event, FeedFellSilent)

    async def hear(self, frame: Frame, now_ms: int, emit: Emit) -> None:
        """Publish a change; only news ends a silence."""
        if frame.is_silent == self.is_silent or (self.is_silent and not frame.is_news):
            return
        self.is_silent = frame.is_silent
        kind = FeedFellSilent if frame.is_silent else FeedCameBack
        envelope = kind.without_cause(
            self.source, now_ms, occurred_at=utc_from_ms(now_ms), trading_day=self.trading_day
        )
        reason = "no connection of the feed brings ticks" if frame.is_silent else "ticks come again"
        await emit(kind(**envelope, reason=reason))


async def play_day(
    feed: Feed,
    parts: Parts,
    emit: Emit,
    pace: Pace,
    played: Played,
    on_batch: OnBatch = lambda batch: None,
) -> None:
    """Publish a day of a feed; `on_batch` is shown each batch that was published."""
    partitions = await parts.bus.partitions("ticks")
    connections = _Connections(feed.source, feed.trading_day, partitions, on_batch)
    told, measured = _OffsetTold(), parts.metrics.feed
    silence = _SilenceTold(feed.source, feed.trading_day)
    await silence.recall(parts.bus)
    async for frame in feed.frames(partitions):
        await silence.hear(frame, parts.clock.now_ms(), emit)
        if not frame.received_ms:
            continue
        ticks = await connections.publish(frame, emit)
        played.note(ticks, is_news=frame.is_news)
        told.hear(frame.offset_ms)
        measured.clock_offset.set(frame.offset_ms / 1000)
        measured.frames.inc()
        measured.ticks.inc(ticks)
        parts.clock.observe(connections.clock_ms)
        await pace(frame.received_ms)
