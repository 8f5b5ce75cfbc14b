"""A recorded day as a feed, with quotes of options where `options` makes them."""

from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from libs.events.ticks import TickColumns
from libs.market.calendar import Calendar, CalendarError, Session
from libs.market.instruments import Instrument
from libs.runtime.settings import SettingsError
from services.ingest.feed import Backfill, Frame
from services.ingest.recordings.errors import RecordingError
from services.ingest.recordings.frames import frames_of
from services.ingest.recordings.instruments import instruments_of, named_ticks
from services.ingest.recordings.named import EXCHANGE
from services.ingest.recordings.place import Recordings
from services.ingest.recordings.ticks import LeftOut, RecordedTicks
from services.ingest.settings import IngestSettings


class OptionQuotes(Protocol):
    """Lists options and quotes them by their underlyings' prices."""

    @property
    def contracts(self) -> Sequence[Instrument]:
        """The listed options."""

    def near(self, spots: Mapping[str, float], at_ms: int) -> TickColumns:
        """Return quotes of the contracts near the money; spots by tradingsymbol."""

    def of(
        self, instrument_tokens: Collection[int], spots: Mapping[str, float], at_ms: int
    ) -> TickColumns:
        """Return quotes of these contracts."""


ListOptions = Callable[[Sequence[Instrument], Mapping[str, float]], OptionQuotes]
FoldHistory = Callable[["RecordedDay", int], Backfill]


@dataclass(frozen=True, slots=True)
class RecordedDay:
    """The files of one day, read and checked; `session` is its first open to its last close.

    `recorded_as` has the symbols as the files say them.
    """

    day: date
    session: Session
    ticks: Sequence[RecordedTicks]
    instruments: Sequence[Instrument]
    recorded_as: Collection[str] = ()
    left_out: LeftOut = field(default_factory=LeftOut)

    def frames(self, step_ms: int = 1000) -> Iterator[Frame]:
        """Yield the day's ticks as they arrived together."""
        tokens = {one.tradingsymbol: one.instrument_token for one in self.instruments}
        return frames_of(self.ticks, tokens, self.session, step_ms)

    def first_prices(self) -> dict[str, float]:
        """Return the first price within the session by symbol, of symbols that have one."""
        firsts = {}
        for one in self.ticks:
            price = one.last_price[self._is_traded(one)]
            if price.size:
                firsts[one.symbol] = float(price[0])
        return firsts

    def last_prices(self) -> dict[str, float]:
        """Return the last price within the session by symbol, of symbols that have one."""
        lasts = {}
        for one in self.ticks:
            price = one.last_price[self._is_traded(one)]
            if price.size:
                lasts[one.symbol] = float(price[-1])
        return lasts

    def _is_traded(self, one: RecordedTicks) -> NDArray[np.bool_]:
        is_open = (one.at_ms >= self.session.open_ms) & (one.at_ms < self.session.close_ms)
        return is_open & (one.last_price > 0)


def read_day(
    recordings: Recordings, day: date, symbols: Collection[str] | None, calendar: Calendar
) -> RecordedDay:
    """Read a day's files; raise RecordingError for a closed day or a file that cannot be read."""
    named = recordings.named
    _check_open(day, named.exchange or EXCHANGE, calendar)
    read = recordings.read(day, symbols)
    ticks = named_ticks(read.ticks, named)
    instruments = instruments_of(ticks, named)
    session = _session_of(day, {one.exchange for one in instruments}, calendar)
    recorded_as = frozenset(one.symbol for one in read.ticks)
    return RecordedDay(day, session, ticks, instruments, recorded_as, read.left_out)


def _check_open(day: date, exchange: str, calendar: Calendar) -> None:
    try:
        reason = calendar.closed_reason(exchange, day)
    except CalendarError as error:
        raise RecordingError(str(error)) from None
    if reason is not None:
        raise RecordingError(f"{day}: the market is closed ({reason})")


def _session_of(day: date, exchanges: Iterable[str], calendar: Calendar) -> Session:
    """Return the first open to the last close of the exchanges that trade on the day."""
    sessions = [one for exchange in exchanges for one in calendar.sessions(exchange, day)]
    if not sessions:
        raise RecordingError(f"{day}: no exchange of the recorded instruments is open")
    opens_at = min(one.opens_at for one in sessions)
    return Session(day, opens_at, max(one.closes_at for one in sessions))


@dataclass(slots=True)
class RecordedFeed:
    """Plays a recorded day; contracts near the money are quoted every `chain_ms`."""

    recording: RecordedDay
    options: OptionQuotes | None = None
    fold_history: FoldHistory | None = None
    chain_ms: int = 5000
    source: str = "recorded"
    _followed: tuple[int, ...] = ()
    _spots: dict[str, float] = field(default_factory=dict)
    _quoted_ms: int = 0

    @property
    def trading_day(self) -> date:
        """The recorded day."""
        return self.recording.day

    async def open(self) -> None:
        """Do nothing: the files were read before."""

    def describe(self) -> dict[str, Any]:
        """Have nothing to show."""
        return {}

    async def close(self) -> None:
        """Do nothing: no file is open."""

    async def instruments(self) -> list[Instrument]:
        """Return the recorded instruments and the options on them."""
        contracts = self.options.contracts if self.options else ()
        return [*self.recording.instruments, *contracts]

    async def backfill(self, partitions: int) -> Backfill:
        """Return the candles of earlier days, none without `fold_history`."""
        if self.fold_history is None:
            return Backfill((), ())
        return self.fold_history(self.recording, partitions)

    def follow(self, instrument_tokens: Collection[int]) -> None:
        """Quote these contracts in every frame."""
        self._followed = tuple(instrument_tokens)

    async def frames(self, partitions: int = 1) -> AsyncIterator[Frame]:
        """Yield the recorded frames, each with the options' quotes of its moment."""
        self._spots, self._quoted_ms = self.recording.first_prices(), 0
        symbols = {one.instrument_token: one.tradingsymbol for one in self.recording.instruments}
        for frame in self.recording.frames():
            self._note_spots(frame, symbols)
            parts = [frame.columns, *self._option_quotes(frame.received_ms)]
            yield Frame(frame.received_ms, TickColumns.concat(parts))

    def _note_spots(self, frame: Frame, symbols: Mapping[int, str]) -> None:
        columns, session = frame.columns, self.recording.session
        at_ms = columns.exchange_timestamp
        is_valid = (at_ms >= session.open_ms) & (at_ms < session.close_ms)
        is_valid &= columns.last_price > 0
        chosen = np.flatnonzero(is_valid)
        tokens, prices = columns.instrument_token[chosen], columns.last_price[chosen]
        for token, price in zip(tokens.tolist(), prices.tolist(), strict=True):
            self._spots[symbols[token]] = price

    def _option_quotes(self, at_ms: int) -> Iterator[TickColumns]:
        session = self.recording.session
        if self.options is None or not session.open_ms <= at_ms < session.close_ms:
            return
        if at_ms - self._quoted_ms >= self.chain_ms:
            self._quoted_ms = at_ms
            yield self.options.near(self._spots, at_ms)
        if self._followed:
            yield self.options.of(self._followed, self._spots, at_ms)


def chosen_feed(own: IngestSettings, read: Callable[[Path, date], RecordedFeed]) -> RecordedFeed:
    """Return the feed of the recorded day in the settings; raise SettingsError naming the key."""
    if own.folder is None or own.day is None:
        raise SettingsError("ingest.folder and ingest.day: needed to play a recorded day")
    try:
        return read(own.folder, own.day)
    except RecordingError as error:
        raise SettingsError(f"ingest.folder: {error}") from None
