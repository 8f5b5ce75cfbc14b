"""A recorded day through the candle core alone: its candles, and what became of each tick."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from libs.events.candles import Candle, Interval
from libs.events.ticks import TickBatch
from libs.market.calendar import load_calendar
from services.candle.domain.aggregator import CandleAggregator
from services.candle.domain.session_candles import CandleRules
from services.candle.domain.tick_filter import TickCounts
from services.ingest.domain.connection import Connection
from services.ingest.domain.listing import listed
from services.ingest.recorded_feed import RecordedDay, read_day
from services.ingest.recordings.named import NOTHING, Named
from services.ingest.recordings.place import Recordings
from services.local.play.feeds import segments_of

INDIA = "Asia/Kolkata"


@dataclass(frozen=True, slots=True)
class Folded:
    """A day's last revisions of candles by instrument, interval and open, and its counts."""

    day: RecordedDay
    candles: Sequence[Candle]
    counts: TickCounts
    revised: int

    @property
    def rows(self) -> int:
        """Rows of the files that are ticks."""
        return sum(len(one.at_ms) for one in self.day.ticks)

    def table(self, interval: Interval = "1m") -> pd.DataFrame:
        """Return the candles of an interval by symbol and open, a naive time in India."""
        mine = [one for one in self.candles if one.interval == interval]
        opened = pd.to_datetime([one.opened_ms for one in mine], unit="ms", utc=True)
        names = ("open", "high", "low", "close", "volume", "ticks")
        columns = {name: [getattr(one, name) for one in mine] for name in names}
        symbols = [one.tradingsymbol for one in mine]
        at = opened.tz_convert(INDIA).tz_localize(None)
        return pd.DataFrame(columns | {"symbol": symbols, "at": at}).set_index(["symbol", "at"])


def folded(
    place: Path, day: date, symbols: Sequence[str] | None = None, named: Named = NOTHING
) -> Folded:
    """Fold a recorded day as candle does: in runs of what has arrived."""
    calendar = load_calendar()
    recorded = read_day(Recordings(place, named), day, symbols, calendar)
    aggregator = CandleAggregator(calendar, CandleRules(), segments_of(recorded))
    for one in recorded.instruments:
        aggregator.list_instrument(listed(one, day, recorded.session.open_ms))
    last: dict[tuple[int, str, int], Candle] = {}
    revised = 0
    for run in _runs(aggregator, list(_batches(recorded))):
        for batch in aggregator.on_run(run):
            for candle in batch.candles():
                last[candle.instrument_token, candle.interval, candle.opened_ms] = candle
                revised += candle.revision > 0
    return Folded(recorded, tuple(last.values()), aggregator.counts, revised)


def _batches(recorded: RecordedDay) -> Iterator[TickBatch]:
    connection = Connection("recorded", recorded.day, recorded.session.open_ms, 1)
    for frame in recorded.frames():
        yield from connection.cut(frame.columns, frame.received_ms)


def _runs(
    aggregator: CandleAggregator, batches: Sequence[TickBatch]
) -> Iterator[Sequence[TickBatch]]:
    at = 0
    while at < len(batches):
        length = max(1, aggregator.run_length(batches[at : at + 64]))
        if length == 1:
            aggregator.needs_instruments(batches[at])
        yield batches[at : at + length]
        at += length
