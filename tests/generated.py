"""The generated market as a feed without a network, for tests of what comes after ingest."""

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from datetime import date

import numpy as np

from libs.events.candles import CandleBatch
from libs.events.ticks import TickColumns
from libs.market.calendar import load_calendar
from libs.market.instruments import Instrument, partition_of
from services.candle.domain.backfill import fold_minutes
from services.candle.domain.grid import CandleValues
from services.candle.domain.schedule import Schedule
from services.ingest.feed import Backfill, Frame
from services.simulator.domain.history import MinuteCandles
from services.simulator.domain.market import SyntheticMarket


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

    async def open(self) -> None:
        """Have nothing to open."""

    async def close(self) -> None:
        """Have nothing to close."""

    async def instruments(self) -> Sequence[Instrument]:
        """Return the underlyings and their options."""
        return self._market.instruments

    def follow(self, instrument_tokens: Collection[int]) -> None:
        """Quote these contracts in every frame."""
        self._followed = tuple(instrument_tokens)

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield the market's frames, each with the quotes of the followed contracts."""
        for frame in self._market.frames(start_ms=self._start_ms):
            parts = [frame.columns]
            if self._followed and frame.at_ms < self._closes_ms:
                parts.append(self._market.quotes(self._followed, frame.at_ms))
            yield Frame(frame.at_ms, TickColumns.concat(parts))

    async def backfill(self, partitions: int) -> Backfill:
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
