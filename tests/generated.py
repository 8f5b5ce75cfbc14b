"""The generated market as a feed without a network, for tests of what comes after ingest."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import date
from typing import Any

from libs.broker.port.market import HistoricalCandle
from libs.events.candles import MINUTES, Interval
from libs.events.event import utc_from_ms
from libs.events.ticks import TickColumns
from libs.market.calendar import load_calendar, midnight_ms
from libs.market.candle_grid import opens_of
from libs.market.instruments import Instrument
from services.ingest.domain.history import MINUTE_MS, FetchedCandles, batches_of
from services.ingest.feed import Backfill, Frame
from services.simulator.domain.market.candles import of_minutes
from services.simulator.domain.market.history import MinuteCandles
from services.simulator.domain.market.synthetic import SyntheticMarket


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

    def describe(self) -> dict[str, Any]:
        """Have nothing to show."""
        return {}

    async def close(self) -> None:
        """Have nothing to close."""

    async def instruments(self) -> Sequence[Instrument]:
        """Return the underlyings and their options."""
        return self._market.instruments

    def follow(self, instrument_tokens: Collection[int]) -> None:
        """Quote these contracts in every frame."""
        self._followed = tuple(instrument_tokens)

    async def frames(self, partitions: int = 1) -> AsyncIterator[Frame]:
        """Yield the market's frames, each with the quotes of the followed contracts."""
        for frame in self._market.frames(start_ms=self._start_ms):
            parts = [frame.columns]
            if self._followed and frame.at_ms < self._closes_ms:
                parts.append(self._market.quotes(self._followed, frame.at_ms))
            yield Frame(frame.at_ms, TickColumns.concat(parts))

    async def backfill(self, partitions: int) -> Backfill:
        """Return the candles of the days before."""
        calendar = load_calendar()
        fetched = [
            FetchedCandles(instrument, interval, _candles(minutes, interval, day))
            for day, instrument, minutes in self._market.history(self._history_days)
            for interval in MINUTES
        ]
        batches = batches_of(fetched, midnight_ms(self._day), calendar, partitions)
        return Backfill(tuple(sorted({batch.trading_day for batch in batches})), batches)


def _candles(minutes: MinuteCandles, interval: Interval, day: date) -> list[HistoricalCandle]:
    """Fold a day's minutes into candles of an interval, as a broker gives them."""
    sessions = load_calendar().sessions("NSE", day)
    made = of_minutes(minutes)
    starts = opens_of(made.opened_at_ms, MINUTES[interval] * MINUTE_MS, sessions)
    folded = made.folded(starts)
    names = ("open", "high", "low", "close", "volume")
    columns = (getattr(folded, name).tolist() for name in names)
    return [
        HistoricalCandle(utc_from_ms(opened_ms), **dict(zip(names, row, strict=True)))
        for opened_ms, *row in zip(folded.opened_at_ms.tolist(), *columns, strict=True)
    ]
