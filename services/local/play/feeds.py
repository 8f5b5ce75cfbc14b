"""The feed of a replay: recorded files, a seeded option chain, and earlier days as history."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from libs.events.candles import CandleBatch
from libs.events.ticks import TickColumns
from libs.market.calendar import Calendar, load_calendar
from libs.market.instruments import Instrument
from libs.market.rulebook import load_rulebook
from services.candle.domain.schedule import Schedule
from services.ingest.domain.connection import Connection
from services.ingest.domain.listing import listed
from services.ingest.feed import Backfill
from services.ingest.recorded_feed import RecordedDay, RecordedFeed, read_day
from services.ingest.recordings.errors import RecordingError
from services.ingest.recordings.named import EXCHANGE
from services.ingest.recordings.place import Recordings
from services.local.play.folded_history import fold_ticks
from services.simulator.domain.market.chain import SyntheticChain

NEAR_STRIKES = 5
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class ChainQuotes:
    """A synthetic chain behind the interface that ingest needs."""

    chain: SyntheticChain

    @property
    def contracts(self) -> Sequence[Instrument]:
        """The listed options."""
        return self.chain.contracts

    def near(self, spots: Mapping[str, float], at_ms: int) -> TickColumns:
        """Return quotes of the contracts near the money."""
        rows = self.chain.near_the_money(spots, NEAR_STRIKES)
        return self.chain.quotes(spots, at_ms, rows)

    def of(
        self, instrument_tokens: Collection[int], spots: Mapping[str, float], at_ms: int
    ) -> TickColumns:
        """Return quotes of these contracts."""
        return self.chain.quotes(spots, at_ms, self.chain.rows(instrument_tokens))


def recorded_feed(
    recordings: Recordings,
    day: date,
    symbols: Collection[str] | None,
    seed: int,
    segments: Sequence[str],
    expiry_count: int,
) -> RecordedFeed:
    """Return a recorded day with a seeded chain and the earlier days as history.

    The chain lists `expiry_count` expiries of each index and share, none of contracts. All files
    are read and checked here, so that a bad one is found before anything starts.
    """
    calendar = load_calendar()
    recording, prices, priced = recording_of(recordings, day, symbols)
    options = None
    if spots := spots_of(priced):
        rules = load_rulebook()
        chain = SyntheticChain(seed, day, spots, prices, rules, calendar, expiry_count=expiry_count)
        options = ChainQuotes(chain)
    history = earlier_days(recordings, recording)
    folded = (*segments, *segments_of(recording))

    def fold(_: RecordedDay, partitions: int) -> Backfill:
        return _fold_recorded(history, day, calendar, folded, partitions)

    return RecordedFeed(recording, options, fold)


def recording_of(
    recordings: Recordings, day: date, symbols: Collection[str] | None
) -> tuple[RecordedDay, dict[str, float], list[Instrument]]:
    """Return a recorded day, its first prices (rupees), and the instruments that have one.

    Raises RecordingError if there is none.
    """
    recording = read_day(recordings, day, symbols, load_calendar())
    prices = recording.first_prices()
    priced = [one for one in recording.instruments if one.tradingsymbol in prices]
    if not priced:
        raise RecordingError(f"{recordings.place_of(day)}: no price within the session")
    return recording, prices, priced


def spots_of(instruments: Sequence[Instrument]) -> list[Instrument]:
    """Return the indices and shares, whose options are quoted; not contracts."""
    return [one for one in instruments if one.expiry is None]


def segments_of(recording: RecordedDay) -> tuple[str, ...]:
    """Return the segments of a day's instruments, in order; what was recorded makes candles."""
    return tuple(sorted({one.segment for one in recording.instruments}))


def earlier_days(recordings: Recordings, recording: RecordedDay) -> list[RecordedDay]:
    """Return the recorded days before one, with the instruments that it has too."""
    calendar = load_calendar()
    return [
        read_day(recordings, earlier, known, calendar)
        for earlier in recordings.days()
        if earlier < recording.day and (known := _also_on(recordings, earlier, recording, calendar))
    ]


def _also_on(
    recordings: Recordings, day: date, recording: RecordedDay, calendar: Calendar
) -> list[str]:
    """Return the day's symbols that the replayed day has too; none if the market was closed."""
    exchange = recordings.named.exchange or EXCHANGE
    if calendar.closed_reason(exchange, day) is not None:
        return []
    return sorted(set(recording.recorded_as) & set(recordings.symbols(day)))


def _fold_recorded(
    history: Sequence[RecordedDay],
    day: date,
    calendar: Calendar,
    segments: Sequence[str],
    partitions: int,
) -> Backfill:
    batches = [
        batch
        for recording in history
        for batch in fold_day(recording, calendar, segments, partitions)
    ]
    days = tuple(recording.day for recording in history)
    gaps = (*_missing_days(days, day, calendar), *_missing_minutes(batches, history))
    return Backfill(days, batches, gaps)


def fold_day(
    recording: RecordedDay, calendar: Calendar, segments: Sequence[str], partitions: int
) -> list[CandleBatch]:
    """Return a recorded day's candles, by the rules of the candle service."""
    session = recording.session
    connection = Connection("recorded", recording.day, session.open_ms, partitions)
    batches = [
        batch
        for frame in recording.frames(step_ms=MINUTE_MS)
        for batch in connection.cut(frame.columns, frame.received_ms)
    ]
    events = [listed(one, recording.day, session.open_ms) for one in recording.instruments]
    return fold_ticks(events, batches, calendar, segments)


def _missing_days(days: Sequence[date], day: date, calendar: Calendar) -> Iterator[str]:
    between = days[0] if days else day
    while between < day:
        if between not in days and calendar.is_trading_day("NSE", between):
            yield f"{between}: no ticks"
        between += timedelta(days=1)


def _missing_minutes(
    batches: Sequence[CandleBatch], history: Sequence[RecordedDay]
) -> Iterator[str]:
    for recording in history:
        minutes = Schedule((recording.session,)).minutes
        seen: dict[str, int] = {one.tradingsymbol: 0 for one in recording.instruments}
        for batch in batches:
            if batch.trading_day == recording.day and batch.interval == "1m":
                for symbol in batch.columns.tradingsymbol:
                    seen[symbol] += 1
        short = {symbol: minutes - count for symbol, count in seen.items() if count < minutes}
        if short:
            least, most = min(short.values()), max(short.values())
            yield f"{recording.day}: {least} to {most} of {minutes} minutes without a tick"
