"""The feed of a replay: recorded files, a seeded option chain, and earlier days as history."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from libs.events.candles import CandleBatch
from libs.events.ticks import TickColumns
from libs.market.calendar import Calendar, load_calendar
from libs.market.instruments import Instrument
from libs.market.rulebook import load_rulebook
from services.candle.domain.schedule import Schedule
from services.ingest.domain.connection import Connection
from services.ingest.domain.listing import listed
from services.ingest.feed import Backfill
from services.ingest.recorded import RecordingError, chosen_symbols, recorded_days
from services.ingest.recorded_feed import RecordedDay, RecordedFeed, read_day
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
    folder: Path,
    day: date,
    symbols: Collection[str] | None,
    seed: int,
    segments: Sequence[str],
    expiry_count: int,
) -> RecordedFeed:
    """Return a recorded day with a seeded chain and the earlier days as history.

    The chain lists `expiry_count` expiries of each underlying. All files are read and checked here,
    so that a bad one is found before anything starts.
    """
    calendar = load_calendar()
    recording, prices, priced = recording_of(folder, day, symbols)
    chain = SyntheticChain(
        seed, day, priced, prices, load_rulebook(), calendar, expiry_count=expiry_count
    )
    history = earlier_days(folder, recording)

    def fold(_: RecordedDay, partitions: int) -> Backfill:
        return _fold_recorded(history, day, calendar, segments, partitions)

    return RecordedFeed(recording, ChainQuotes(chain), fold)


def recording_of(
    folder: Path, day: date, symbols: Collection[str] | None
) -> tuple[RecordedDay, dict[str, float], list[Instrument]]:
    """Return a recorded day, its first prices (rupees), and the instruments that have one.

    Raises RecordingError if there is none.
    """
    recording = read_day(folder, day, symbols, load_calendar())
    prices = recording.first_prices()
    priced = [one for one in recording.instruments if one.tradingsymbol in prices]
    if not priced:
        raise RecordingError(f"{folder / day.isoformat()}: no price within the session")
    return recording, prices, priced


def earlier_days(folder: Path, recording: RecordedDay) -> list[RecordedDay]:
    """Return the recorded days before one, with the symbols that it has too."""
    calendar = load_calendar()
    return [
        read_day(folder, earlier, known, calendar)
        for earlier in recorded_days(folder)
        if earlier < recording.day and (known := _also_on(folder, earlier, recording, calendar))
    ]


def _also_on(folder: Path, day: date, recording: RecordedDay, calendar: Calendar) -> list[str]:
    """Return the day's symbols that the replayed day has too; none if the market was closed."""
    if calendar.closed_reason("NSE", day) is not None:
        return []
    wanted = {one.tradingsymbol for one in recording.instruments}
    return sorted(wanted & set(chosen_symbols(folder, day, None)))


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
