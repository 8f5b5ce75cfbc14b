"""Fetches from a broker the history that is not stored yet, with progress, and announces it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from libs.broker.errors import ReplyUnreadable, RequestRefused
from libs.broker.port.market import HistoricalCandle
from libs.events.candles import HistoryFetched
from libs.events.control import HistoryLoaded
from libs.events.event import utc_from_ms
from libs.market.calendar import IST, Calendar, day_span_ms
from libs.market.instruments import partition_of
from libs.market.market_hours import MarketHours, exchanges_of
from libs.runtime.clock import monotonic_ms
from libs.runtime.logs import logger_of
from libs.runtime.service import Parts
from libs.runtime.subscription import Emit
from services.ingest.asking import asked
from services.ingest.domain.history import FetchedCandles, are_of, batches_of, each_once
from services.ingest.domain.missed_candles import MissedCandles
from services.ingest.domain.missing_history import Ask, Tally, Window
from services.ingest.feed import BrokerHistory
from services.ingest.stored_history import kept_history

SETTLED_MS = 5_000
"""A candle is asked for this long after its close, since a broker makes it of late ticks too."""
TOLD_MS = 5_000
"""Progress is told so often."""


class HistoryFetcher:
    """Asks a broker for candles, one request after the other, and publishes them as they come.

    What was published is stored by the candle service; after a kill the rest is asked for.
    """

    def __init__(
        self, broker: BrokerHistory, day: date, parts: Parts, calendar: Calendar, partitions: int
    ) -> None:
        self.broker = broker
        self.day = day
        self._parts = parts
        self._calendar = calendar
        self._partitions = partitions
        self._log = logger_of("ingest")
        self._window = self._window_at(broker.now_ms() - SETTLED_MS)

    def missed(self) -> MissedCandles:
        """Return what notes which candles of today the feed misses, beside those of `load`."""
        broker = self.broker
        of = (self.day, broker.instruments, broker.rules.intervals, self._calendar)
        return MissedCandles(*of, self._partitions, self._window.now_ms, SETTLED_MS)

    async def load(self, emit: Emit) -> None:
        """Fetch what strategies need before the day, or at this time of it; then HistoryLoaded."""
        broker, window = self.broker, self._window
        kept = await kept_history(self._parts.store, broker.origin, window.since, self.day)
        tally = Tally(window, broker.instruments, kept)
        await self._fetch_all(window.asks(broker.instruments, kept), tally, emit)
        found = (tally.days, tally.candles, tally.gaps())
        loaded = announcement(broker.origin, self.day, self._opens_ms, *found)
        await emit(loaded.model_copy(update={"patched": broker.rules.intervals}))

    async def fetch(self, ask: Ask, emit: Emit, *, is_last: bool = True) -> dict[date, int] | None:
        """Fetch and publish candles; return how many the broker has of each day.

        None, and nothing is published, if there are fewer than the calendar has, and it is to be
        asked again. What it refuses, or what nobody can read, is logged, and is not remembered as
        asked for.
        """
        try:
            candles = each_once(await self._asked(ask))
            if not are_of(ask.interval, candles):
                raise RequestRefused(f"the broker gives other candles than those of {ask.interval}")
        except (RequestRefused, ReplyUnreadable) as error:
            self._log.error("history is refused", instrument=ask.instrument.key, reason=str(error))
            return {}
        fetched = [FetchedCandles(ask.instrument, ask.interval, candles)]
        batches = batches_of(fetched, ask.until_ms, self._calendar, self._partitions)
        wanted = [batch for batch in batches if batch.trading_day in ask.days]
        counts = Counter({batch.trading_day: len(batch.columns) for batch in wanted})
        expected = self._expected(ask)
        if not is_last and any(counts[day] < of for day, of in expected.items()):
            return None
        await emit(*wanted, self._fetched(ask, counts, expected))
        return dict(counts)

    @property
    def _opens_ms(self) -> int:
        exchanges = exchanges_of(one.exchange for one in self.broker.instruments)
        sessions = MarketHours(self._calendar, exchanges).sessions(self.day)
        return min((one.open_ms for one in sessions), default=day_span_ms(self.day)[0])

    async def _fetch_all(self, asks: Sequence[Ask], tally: Tally, emit: Emit) -> None:
        progress = _Progress(len(asks), self._parts)
        for number, ask in enumerate(asks):
            progress.tell(number)
            tally.note(ask, await self.fetch(ask, emit) or {})
        progress.end()

    async def _asked(self, ask: Ask) -> Sequence[HistoricalCandle]:
        first, last = utc_from_ms(ask.since_ms), utc_from_ms(ask.until_ms - 1000)
        token, market = ask.instrument.instrument_token, self.broker.market
        span = (first.astimezone(IST), last.astimezone(IST))
        return await asked(
            lambda: market.candles(token, ask.interval, *span), "the broker gives no history"
        )

    def _window_at(self, now_ms: int) -> Window:
        return Window(self.broker.rules, self.day, now_ms, self._calendar)

    def _expected(self, ask: Ask) -> dict[date, int]:
        """Return how many candles of each day the calendar has in the time that is asked for."""
        before, by_then = self._window_at(ask.since_ms), self._window_at(ask.until_ms)
        return {
            day: by_then.expected(ask.instrument, ask.interval, day)
            - (before.expected(ask.instrument, ask.interval, day) if day == self.day else 0)
            for day in ask.days
        }

    def _fetched(
        self, ask: Ask, counts: Counter[date], expected: Mapping[date, int]
    ) -> HistoryFetched:
        one = ask.instrument
        envelope = HistoryFetched.without_cause(
            *(self.broker.origin, one.key, one.expiry, ask.interval, self.day),
            *(ask.days, ask.since_ms, ask.until_ms),
            occurred_at=utc_from_ms(self._opens_ms),
            trading_day=self.day,
        )
        return HistoryFetched(
            **envelope,
            partition=partition_of(one.instrument_token, self._partitions),
            origin=self.broker.origin,
            exchange=one.exchange,
            tradingsymbol=one.tradingsymbol,
            expiry=one.expiry,
            interval=ask.interval,
            since_ms=ask.since_ms,
            until_ms=ask.until_ms,
            days=ask.days,
            candles=tuple(counts[day] for day in ask.days),
            expected=tuple(expected.values()),
        )


class _Progress:
    """Tells how many requests are done, and about how long the rest takes."""

    def __init__(self, asks: int, parts: Parts) -> None:
        self._asks = asks
        self._began_ms = self._told_ms = monotonic_ms()
        self._left = parts.metrics.feed.history_left
        self._log = logger_of("ingest")
        self._left.set(asks)
        if asks:
            self._log.info("fetching history", requests=asks)

    def tell(self, done: int) -> None:
        """Note progress; log it from time to time."""
        self._left.set(self._asks - done)
        now_ms = monotonic_ms()
        if done and now_ms - self._told_ms >= TOLD_MS:
            self._told_ms = now_ms
            left = (now_ms - self._began_ms) / done * (self._asks - done) / 1000
            self._log.info("history", done=done, of=self._asks, seconds_left=round(left))

    def end(self) -> None:
        """Note the end."""
        self._left.set(0)
        if self._asks:
            seconds = round((monotonic_ms() - self._began_ms) / 1000, 1)
            self._log.info("history is fetched", requests=self._asks, seconds=seconds)


def announcement(
    origin: str, day: date, opens_ms: int, days: Sequence[date], candles: int, gaps: Iterable[str]
) -> HistoryLoaded:
    """Return what tells strategies that the history of a day is published."""
    envelope = HistoryLoaded.without_cause(
        origin, day, *days, occurred_at=utc_from_ms(opens_ms), trading_day=day
    )
    return HistoryLoaded(**envelope, days=tuple(days), candles=candles, gaps=tuple(gaps))
