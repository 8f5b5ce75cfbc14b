"""The feeds of demo, replay and up: wired from recorded files, the generator and candle folding."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from libs.events.candles import CandleBatch
from libs.events.ticks import TickColumns
from libs.market.calendar import Calendar, load_calendar
from libs.market.instruments import Instrument, partition_of
from libs.market.rulebook import load_rulebook
from services.candle.domain.backfill import fold_minutes, fold_ticks
from services.candle.domain.grid import CandleValues
from services.candle.domain.schedule import Schedule
from services.ingest.domain.connection import Connection
from services.ingest.domain.listing import listed
from services.ingest.feed import Backfill, Frame
from services.ingest.recorded import RecordingError, chosen_symbols, recorded_days
from services.ingest.recorded_feed import RecordedDay, RecordedFeed, read_day
from services.simulator.domain.chain import SyntheticChain
from services.simulator.domain.history import MinuteCandles
from services.simulator.domain.market import SyntheticMarket

NEAR_STRIKES = 5
MINUTE_MS = 60_000
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ChainQuotes:
    """A synthetic chain as ingest wants it: quotes of the contracts that matter now."""

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

    The chain lists so many expiries of each underlying.

    Everything is read and checked here, so that a bad file is found before anything starts.
    """
    calendar = load_calendar()
    recording = read_day(folder, day, symbols, calendar)
    prices = recording.first_prices()
    priced = [one for one in recording.instruments if one.tradingsymbol in prices]
    if not priced:
        raise RecordingError(f"{folder / day.isoformat()}: no price within the session")
    chain = SyntheticChain(
        seed, day, priced, prices, load_rulebook(), calendar, expiry_count=expiry_count
    )
    history = [
        read_day(folder, earlier, known, calendar)
        for earlier in recorded_days(folder)
        if earlier < day and (known := _also_on(folder, earlier, recording, calendar))
    ]

    def fold(_: RecordedDay, partitions: int) -> Backfill:
        return _fold_recorded(history, day, calendar, segments, partitions)

    return RecordedFeed(recording, ChainQuotes(chain), fold)


def _also_on(folder: Path, day: date, recording: RecordedDay, calendar: Calendar) -> list[str]:
    """Return the day's symbols that the replayed day has too; a closed day has no history."""
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
        for batch in _fold_day(recording, calendar, segments, partitions)
    ]
    days = tuple(recording.day for recording in history)
    gaps = (*_missing_days(days, day, calendar), *_missing_minutes(batches, history))
    return Backfill(days, batches, gaps)


def _fold_day(
    recording: RecordedDay, calendar: Calendar, segments: Sequence[str], partitions: int
) -> list[CandleBatch]:
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


class GeneratedFeed:
    """A synthetic day of the generator as a feed; `start_ms` begins later than the open."""

    source = "generated"

    def __init__(
        self, market: SyntheticMarket, day: date, history_days: int, start_ms: int | None = None
    ) -> None:
        self._market = market
        self._day = day
        self._history_days = history_days
        self._start_ms = start_ms
        self._followed: tuple[int, ...] = ()
        self._closes_ms = load_calendar().sessions("NFO", day)[-1].close_ms

    @property
    def trading_day(self) -> date:
        """The generated day."""
        return self._day

    def instruments(self) -> Sequence[Instrument]:
        """Return the underlyings and their options."""
        return self._market.instruments

    def follow(self, instrument_tokens: Collection[int]) -> None:
        """Quote these contracts in every frame."""
        self._followed = tuple(instrument_tokens)

    def frames(self) -> Iterator[Frame]:
        """Yield the market's frames, each with the quotes of the followed contracts."""
        for frame in self._market.frames(start_ms=self._start_ms):
            parts = [frame.columns]
            if self._followed and frame.at_ms < self._closes_ms:
                parts.append(self._market.quotes(self._followed, frame.at_ms))
            yield Frame(frame.at_ms, TickColumns.concat(parts))

    def backfill(self, partitions: int) -> Backfill:
        """Return the candles of the days before."""
        history: dict[date, list[tuple[Instrument, MinuteCandles]]] = {}
        for day, instrument, minutes in self._market.history(self._history_days):
            history.setdefault(day, []).append((instrument, minutes))
        batches = [
            batch
            for day, candles in history.items()
            for batch in _fold_generated(day, candles, partitions)
        ]
        return Backfill(tuple(history), batches)


def _fold_generated(
    day: date, candles: Sequence[tuple[Instrument, MinuteCandles]], partitions: int
) -> Iterator[CandleBatch]:
    schedule = Schedule(load_calendar().sessions("NSE", day))
    for partition in range(partitions):
        mine = [
            (instrument, minutes)
            for instrument, minutes in candles
            if partition_of(instrument.instrument_token, partitions) == partition
        ]
        instruments = [instrument for instrument, _ in mine]
        minutes = (one for row, (_, columns) in enumerate(mine) for one in _minutes(row, columns))
        if mine:
            yield from fold_minutes(schedule, day, instruments, minutes, partition)


def _minutes(row: int, columns: MinuteCandles) -> Iterator[tuple[int, CandleValues]]:
    for at, opened_ms in enumerate(columns["opened_at_ms"].tolist()):
        one = slice(at, at + 1)
        yield (
            opened_ms,
            CandleValues(
                row=np.array([row]),
                open=columns["open"][one],
                high=columns["high"][one],
                low=columns["low"][one],
                close=columns["close"][one],
                volume=columns["volume"][one],
                vwap=np.array([np.nan]),
                ticks=columns["ticks"][one],
                oi=np.zeros(1, np.int64),
                cumulative_volume=columns["cumulative_volume"][one],
            ),
        )
