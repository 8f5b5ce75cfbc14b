"""The ingest service: publishes a feed's instruments, history and ticks, and stores the ticks."""

import asyncio
from collections.abc import Sequence
from datetime import date
from functools import partial

from libs.events.event import Event
from libs.events.instruments import Contract, InstrumentListed
from libs.events.positions import PositionClosed, PositionEvent
from libs.market.calendar import load_calendar
from libs.market.instruments import Instrument
from libs.market.market_hours import MarketHours, exchanges_of
from libs.runtime.clock import monotonic_ms
from libs.runtime.logs import logger_of
from libs.runtime.past import past_events
from libs.runtime.service import Parts, Service
from libs.runtime.subscription import Emit, Reaction, Subscription
from services.ingest.catching_up import CatchUp
from services.ingest.days import NextDay, retry_until_open
from services.ingest.domain.listing import PreviousListing, changes_of, listed
from services.ingest.domain.rows import MarketDataRows
from services.ingest.feed import BrokerHistory, Feed
from services.ingest.fetching import HistoryFetcher, announcement
from services.ingest.loading import FEED_WAITS_SECONDS, Loading, with_companion
from services.ingest.playing import Pace, Played, play_day

DEAD_SECONDS = 10
"""A feed without a tick for longer is dead while the market is open."""


def make_service(feed: Feed, parts: Parts, pace: Pace, next_day: NextDay | None = None) -> Service:
    """Return the service that plays one day of a feed, or with `next_day` one after another."""
    follower, played = _Follower(feed), Played(MarketHours(load_calendar()))
    market_data, loading = MarketDataRows(), Loading()

    async def prepare(emit: Emit) -> None:
        await _announce(feed, parts, emit, played, loading)
        played.announced = feed.trading_day
        follower.begin(feed.trading_day)

    async def play(emit: Emit) -> None:
        try:
            playing = play_day(feed, parts, emit, pace, played, loading.on_batch)
            await with_companion(playing, loading.beside(emit))
        finally:
            loading.cancel()

    async def follow(next_day: NextDay, emit: Emit) -> None:
        async def begin() -> None:
            await next_day(played.day, parts.waiting)
            await prepare(emit)

        while True:
            await retry_until_open(begin, asyncio.sleep, parts.waiting)
            await play(emit)
            played.day = feed.trading_day

    positions = Subscription(
        group="ingest",
        topics=("positions",),
        handler=Reaction(follower.on_event, follower.restore),
        restore_topics=("positions",),
    )
    tables = {"market_data": (("instruments", "ticks"), market_data)}
    return Service(
        name="ingest",
        subscriptions=(positions, *parts.writers("ingest", tables)),
        prepare=None if next_day else prepare,
        tasks=(partial(follow, next_day) if next_day else play,),
        close=feed.close,
        looks_up=("instruments",),
        waiting=parts.waiting,
        measure=lambda: _measure(parts, played),
        looks={"feed": lambda: _silence(parts, played)},
        describe=lambda: {
            "source": feed.source,
            "trading_day": played.announced.isoformat() if played.announced else None,
            "frames": played.frames,
            "ticks": played.ticks,
            **feed.describe(),
        },
    )


class _Follower:
    """Keeps the feed quoting the contracts of open positions, until they expire."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._held: dict[object, Contract] = {}
        self._day = date.min

    def on_event(self, event: Event) -> tuple[Event, ...]:
        """Start or stop quoting the contract of a position."""
        self.restore(event)
        return ()

    def restore(self, event: Event) -> None:
        """Update the held contracts."""
        if isinstance(event, PositionClosed):
            self._held.pop(event.position_id, None)
        elif isinstance(event, PositionEvent):
            self._held[event.position_id] = event.contract
        self._follow()

    def begin(self, day: date) -> None:
        """Begin a trading day: the tokens of contracts that have expired may be others' now."""
        self._day = day
        self._follow()

    def _follow(self) -> None:
        held = (one for one in self._held.values() if one.expiry >= self._day)
        self._feed.follow(sorted({one.instrument_token for one in held}))


def _silence(parts: Parts, played: Played) -> str:
    """Return for how long no tick has come while the market is open, "" while the feed is alive.

    A market whose stamps alone are the time may rest; without a session none can come.
    """
    seconds = (monotonic_ms() - played.last_tick_ms) // 1000
    if seconds <= DEAD_SECONDS or not parts.clock.runs or parts.waiting.reason:
        return ""
    is_open = played.hours.is_open(parts.clock.now_ms())
    return f"no tick for {seconds} s while the market is open" if is_open else ""


def _measure(parts: Parts, played: Played) -> None:
    measured = parts.metrics.feed
    measured.age.set((monotonic_ms() - played.last_tick_ms) / 1000)
    measured.is_open.set(played.hours.is_open(parts.clock.now_ms()))


async def _announce(feed: Feed, parts: Parts, emit: Emit, played: Played, loading: Loading) -> None:
    """Publish the day's instruments and history, then HistoryLoaded."""
    await feed.open()
    calendar = load_calendar()
    listing = tuple(await feed.instruments())
    exchanges = exchanges_of(one.exchange for one in listing)
    played.hours = MarketHours(calendar, exchanges)
    opens_ms = min(one.open_ms for one in played.hours.sessions(feed.trading_day))
    await _tell_changes(parts, listing, feed.trading_day)
    for instrument in listing:
        await emit(listed(instrument, feed.trading_day, opens_ms))
    partitions = await parts.bus.partitions("historical_candles")
    backfill = await feed.backfill(partitions)
    if backfill.broker is not None:
        broker, day = backfill.broker, feed.trading_day
        fetcher = HistoryFetcher(broker, day, parts, calendar, partitions)
        loading.catch_up = CatchUp(fetcher, fetcher.missed())
        await loading.begin(lambda: fetcher.load(emit), _patience(broker, opens_ms))
        return
    await emit(*backfill.batches)
    candles = sum(len(batch.columns) for batch in backfill.batches)
    found = (backfill.days, candles, backfill.gaps)
    await emit(announcement(feed.source, feed.trading_day, opens_ms, *found))


def _patience(broker: BrokerHistory, opens_ms: int) -> float | None:
    """Return for how many seconds the feed waits for the history; None: until it is there."""
    if broker.waits:
        return None
    return max(FEED_WAITS_SECONDS, (opens_ms - broker.now_ms()) / 1000)


async def _tell_changes(parts: Parts, listing: Sequence[Instrument], day: date) -> None:
    """Log, a line each, what is listed otherwise than on the day before."""
    before, log = PreviousListing(day), logger_of("ingest")
    async for event in past_events(parts.bus, ("instruments",), log):
        if isinstance(event, InstrumentListed):
            before.note(event)
    for change in changes_of(before.instruments, listing, day):
        log.warning("listed otherwise than the day before", change=change)
