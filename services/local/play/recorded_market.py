"""A recorded day as the market of the simulated exchange, with a seeded option chain."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from libs.events.candles import CandleBatch
from libs.events.ticks import COLUMN_TYPES, TickColumns
from libs.market.calendar import Calendar, load_calendar
from libs.market.instruments import Instrument
from libs.market.rulebook import load_rulebook
from services.ingest.recorded_feed import RecordedDay
from services.ingest.recordings.errors import RecordingError
from services.ingest.recordings.place import Recordings
from services.local.play.feeds import earlier_days, fold_day, recording_of, spots_of
from services.simulator.domain.market.chain import SyntheticChain
from services.simulator.domain.market.frames import Frame
from services.simulator.domain.market.history import MinuteCandles
from services.simulator.settings import SimulatorSettings

SECOND_MS = 1000
TAIL_SECONDS = 5
SEGMENTS = ("INDICES", "NSE")


@dataclass(frozen=True, slots=True)
class RecordedMarket:
    """Recorded underlyings, and synthetic options priced from them.

    The recording has no bid and ask, so only the options can be traded.
    """

    recording: RecordedDay
    earlier: Sequence[RecordedDay]
    chain: SyntheticChain
    calendar: Calendar

    @property
    def trading_day(self) -> date:
        """The recorded day."""
        return self.recording.day

    @property
    def instruments(self) -> Sequence[Instrument]:
        """The recorded underlyings, then the options on them."""
        return (*self.recording.instruments, *self.chain.contracts)

    def underlying_frames(self, start_ms: int | None = None) -> Iterator[Frame]:
        """Yield a frame a second, from the open or `start_ms` to some seconds after the close."""
        first_ms = self.recording.session.open_ms if start_ms is None else start_ms
        arrived: dict[int, list[TickColumns]] = {}
        for frame in self.recording.frames():
            if len(frame.columns):
                second = max(frame.received_ms, first_ms) // SECOND_MS
                arrived.setdefault(second, []).append(_whole(frame.columns))
        for second in range(first_ms // SECOND_MS, self._ends_ms() // SECOND_MS):
            parts = arrived.get(second)
            yield Frame(
                second * SECOND_MS, TickColumns.concat(parts) if parts else TickColumns.empty()
            )

    def option_quotes(self, spots: Mapping[str, float], at_ms: int) -> TickColumns:
        """Return quotes of all options at these prices of the underlyings."""
        return self.chain.quotes(spots, at_ms)

    def previous_closes(self) -> Mapping[str, float]:
        """Return the last prices of the previous recorded day."""
        return self.earlier[-1].last_prices() if self.earlier else {}

    def history(self) -> Iterator[tuple[date, Instrument, MinuteCandles]]:
        """Yield the minute candles of the earlier recorded days, oldest first."""
        for recording in self.earlier:
            batches = fold_day(recording, self.calendar, SEGMENTS, partitions=1)
            minutes = [batch for batch in batches if batch.interval == "1m"]
            for instrument in recording.instruments:
                yield recording.day, instrument, _minutes(minutes, instrument.tradingsymbol)

    def _ends_ms(self) -> int:
        closes = [self.calendar.sessions(name, self.trading_day) for name in ("NSE", "NFO")]
        return max(one[-1].close_ms for one in closes if one) + TAIL_SECONDS * SECOND_MS


def recorded_market(folder: Path, settings: SimulatorSettings) -> RecordedMarket:
    """Read a day and the days before it; raise RecordingError if one cannot be read."""
    calendar, recordings = load_calendar(), Recordings(folder)
    recording, prices, priced = recording_of(recordings, settings.day, None)
    if not spots_of(priced):
        raise RecordingError(f"{folder}: no index and no share, whose options could be traded")
    chain = SyntheticChain(
        settings.seed, settings.day, spots_of(priced), prices, load_rulebook(), calendar
    )
    return RecordedMarket(recording, earlier_days(recordings, recording), chain, calendar)


def _whole(columns: TickColumns) -> TickColumns:
    """Return ticks with all columns; what was not recorded is 0."""
    size = len(columns)
    known = {name: column for name, column in columns.columns().items() if column is not None}
    if "volume_traded" in known:
        known["volume_traded"] = np.maximum(known["volume_traded"], 0)
    return TickColumns(
        **{name: known.get(name, np.zeros(size, kind)) for name, kind in COLUMN_TYPES.items()}
    )


def _minutes(batches: Iterable[CandleBatch], tradingsymbol: str) -> MinuteCandles:
    rows = sorted(
        (candle for batch in batches for candle in batch.candles()), key=lambda one: one.opened_ms
    )
    mine = [one for one in rows if one.tradingsymbol == tradingsymbol]
    return MinuteCandles(
        opened_at_ms=np.array([one.opened_ms for one in mine], np.int64),
        open=np.array([one.open for one in mine], np.float64),
        high=np.array([one.high for one in mine], np.float64),
        low=np.array([one.low for one in mine], np.float64),
        close=np.array([one.close for one in mine], np.float64),
        volume=np.array([one.volume for one in mine], np.int64),
        cumulative_volume=np.array([one.cumulative_volume for one in mine], np.int64),
        ticks=np.array([one.ticks for one in mine], np.int64),
    )
