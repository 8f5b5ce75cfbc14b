"""A day over a broker's connections: what they follow, what they bring, and which are dead."""

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from libs.broker.port.market import MarketData, Mode
from libs.events.ticks import TickColumns
from libs.market.calendar import Calendar
from libs.runtime.clock import ClockKind
from libs.runtime.health import Waiting
from services.ingest.domain.arrivals import Arrivals, Moment, StampedArrivals, WallArrivals
from services.ingest.domain.canaries import Canaries
from services.ingest.domain.following import fitting
from services.ingest.domain.spread import Spread
from services.ingest.domain.universe import Universe
from services.ingest.feed import Frame
from services.ingest.feed_log import FeedLog
from services.ingest.lines import Line
from services.ingest.polling import Poller
from services.ingest.sockets import Received, Sockets

ENDS_AFTER_MS = 3_000
WAITS_MS = 60_000
"""So long after its end a day waits for a connection that lags."""
RECENTRE_MS = 60_000
MEASURE_MS = 1_000
UNSEEN_MS = 1_000
"""The connections are looked at more often. Where it took longer, their frames waited here."""
POLL_AFTER_MS = 5_000
"""What no connection has brought for so long is asked for."""
NO_TIME = -1
"""In the place of the exchange's time, where a packet has none: no stamp is negative."""


@dataclass(slots=True)
class LiveDay:
    """The frames of one day. With the feed's clock nothing is expected of a connection.

    `spots`: token of an underlying → its latest price; `held`: contracts that are always followed.
    """

    trading_day: date
    market_data: MarketData
    universe: Universe
    spread: Spread
    most: int
    lines: Sequence[Line]
    calendar: Calendar
    kind: ClockKind
    moment: Callable[[], Moment]
    waiting: Waiting
    log: FeedLog
    ends_ms: int
    spots: dict[int, float]
    held: frozenset[int] = frozenset()
    is_stale: bool = False
    frames_taken: int = 0
    _centred_ms: int = 0
    _measured_ms: int = 0
    _seen_ms: int = 0
    _canaries: Canaries = field(init=False)
    _arrivals: Arrivals = field(init=False)
    _centres: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        by = WallArrivals if self.kind == "wall" else StampedArrivals
        self._arrivals = by(self.trading_day, len(self.lines))
        self._centres = np.array(sorted(self.universe.underlying_tokens), np.int64)
        listed = self.universe.instruments
        self._canaries = Canaries.of(listed, self.calendar, self.trading_day)

    async def frames(self) -> AsyncGenerator[Frame]:
        """Yield frames until all connections are past the end; heartbeats have no rows."""
        await self._recentre(0)
        self.log.begin({n: len(line.following.modes) for n, line in enumerate(self.lines)})
        streams = [line.stream for line in self.lines]
        by_wall = self.kind == "wall"
        async with Sockets(streams, self.waiting, looks=by_wall) as sockets:
            if by_wall:
                sockets.beside(self._poller(sockets).run())
            while (received := await sockets.next()) is not None:
                self._excuse(is_idle=received.is_look)
                received_ms = 0
                for frame in self._taken(received):
                    received_ms = max(received_ms, frame.received_ms)
                    yield frame
                if changed := await self._watch():
                    yield changed
                if self._is_over():
                    break
                if self.is_stale or received_ms - self._centred_ms >= RECENTRE_MS:
                    await self._recentre(received_ms)
                if received.frame is not None:
                    self.frames_taken += len(received.frame) > 0
                sockets.handled(received)
        for frame in self._ends():
            yield frame

    def follow(self, held: frozenset[int]) -> None:
        """Follow these contracts from the next frame on."""
        self.is_stale |= held != self.held
        self.held = held

    def _taken(self, received: Received) -> Iterator[Frame]:
        """Yield what was received, by connection."""
        if received.polled is not None:
            yield from self._polled(received.polled)
        elif received.frame is not None and not received.frame.is_garbage:
            yield from self._ticks(received.connection, received.frame.columns(NO_TIME))

    def _polled(self, columns: TickColumns) -> Iterator[Frame]:
        """Yield quotes by request as if their connections had brought them: they go on so."""
        tokens = columns.instrument_token.tolist()
        of = np.array([self.spread.connection_of(token) for token in tokens], np.int64)
        for number in sorted(set(of.tolist())):
            yield from self._ticks(number, columns.take(of == number), is_polled=True)

    def _ticks(
        self, number: int, columns: TickColumns, *, is_polled: bool = False
    ) -> Iterator[Frame]:
        """Yield the ticks of a connection with the exchange's time, then those without."""
        line, at = self.lines[number], self.moment()
        is_timed = columns.exchange_timestamp != NO_TIME
        timed = columns if is_timed.all() else columns.take(is_timed)
        if not len(timed):
            at = at.before(line.waited_ms)
        arrived = self._arrivals.of(number, timed.exchange_timestamp, at)
        if arrived.is_news and not is_polled:
            line.heard(at.monotonic_ms)
        self._note_spots(columns)
        if arrived.received_ms and (len(timed) or not len(columns)):
            yield self._frame(number, arrived.received_ms, timed, is_news=arrived.is_news)
        reached_ms = self._arrivals.reached_ms(number, at)
        line.reached_ms = max(line.reached_ms, reached_ms)
        if len(timed) < len(columns) and reached_ms:
            yield self._frame(
                number, reached_ms, _stamped(columns.take(~is_timed), reached_ms), is_arrival=True
            )

    def _frame(
        self,
        connection: int,
        received_ms: int,
        columns: TickColumns,
        *,
        is_news: bool = False,
        is_arrival: bool = False,
    ) -> Frame:
        return Frame(
            received_ms,
            columns,
            self._arrivals.offset_ms,
            is_news,
            connection,
            self.lines[connection].partitions,
            time_is_arrival=is_arrival,
            is_silent=self.log.is_halted,
        )

    def _excuse(self, *, is_idle: bool = False) -> None:
        """Take no time for silence in which nothing could be handled; idle: no frame waits."""
        now_ms = self.moment().monotonic_ms
        unseen_ms = now_ms - (self._seen_ms or now_ms) - UNSEEN_MS
        self._seen_ms = now_ms
        for line in self.lines:
            if unseen_ms > 0:
                line.excuse(unseen_ms, now_ms)
            elif is_idle:
                line.waited_ms = 0

    async def _watch(self) -> Frame | None:
        """Replace connections that bring no news; return a frame that says when all are silent."""
        self._excuse()
        at, was_halted = self.moment(), self.log.is_halted
        if at.monotonic_ms - self._measured_ms >= MEASURE_MS:
            self._measure(at)
        if self.kind == "feed":
            return None
        now_ms = self._arrivals.now_ms(at) or at.wall_ms
        patience = [self._canaries.patience_ms(line.weights, now_ms) for line in self.lines]
        silent = [
            number
            for number, line in enumerate(self.lines)
            if line.silence.is_silent(at.monotonic_ms, patience[number])
        ]
        for number in silent:
            await self.lines[number].replace_if_dead(at.monotonic_ms, patience[number])
        expected = frozenset(number for number, one in enumerate(patience) if one)
        self.log.note_silent(frozenset(silent), expected)
        is_told = self.log.is_halted == was_halted
        is_news = len(silent) < len(expected)
        return None if is_told else self._frame(0, 0, TickColumns.empty(), is_news=is_news)

    def _measure(self, at: Moment) -> None:
        self._measured_ms, now_ms = at.monotonic_ms, self._arrivals.now_ms(at)
        for number, line in enumerate(self.lines):
            age_ms = line.silence.age_ms(at.monotonic_ms)
            self.log.measure(number, age_ms, line.lag_ms(now_ms), line.stream.counts())

    def _poller(self, sockets: Sockets) -> Poller:
        def deliver(columns: TickColumns) -> None:
            sockets.put(Received(polled=columns))

        keys = {one.instrument_token: one.key for one in self.universe.instruments}
        return Poller(
            self.market_data, keys, lambda: self._unbrought(sockets), deliver, self.log, NO_TIME
        )

    def _unbrought(self, sockets: Sockets) -> list[int]:
        """Return what no connection brings: what is held, the underlyings, then the rest.

        Where a session is missing requests are refused too.
        """
        now_ms = self.moment().monotonic_ms
        missing = [
            number
            for number in sorted(self.log.silent)
            if self.lines[number].silence.age_ms(now_ms) >= POLL_AFTER_MS
            and not sockets.waits(number)
        ]
        tokens = {
            token
            for number in missing
            for token in self.lines[number].following.modes
            if self.spread.connection_of(token) == number
        }
        underlyings = self.universe.underlying_tokens
        return sorted(tokens, key=lambda one: (one not in self.held, one not in underlyings, one))

    def _is_over(self) -> bool:
        if all(line.reached_ms >= self.ends_ms for line in self.lines):
            return True
        at = self.moment()
        now_ms = self._arrivals.now_ms(at) or (at.wall_ms if self.kind == "wall" else 0)
        return now_ms >= self.ends_ms + WAITS_MS

    def _ends(self) -> Iterator[Frame]:
        """Yield a last heartbeat, which closes candles, of connections that never came so far."""
        for number, line in enumerate(self.lines):
            if self._is_over() and line.reached_ms < self.ends_ms:
                yield self._frame(number, self.ends_ms, TickColumns.empty())

    def _note_spots(self, columns: TickColumns) -> None:
        """Note the underlyings' latest prices."""
        if not len(self._centres) or not len(columns):
            return
        tokens = columns.instrument_token
        near = np.minimum(np.searchsorted(self._centres, tokens), len(self._centres) - 1)
        for row in np.flatnonzero(self._centres[near] == tokens).tolist():
            price = float(columns.last_price[row])
            if price > 0:
                self.spots[int(columns.instrument_token[row])] = price

    async def _recentre(self, at_ms: int) -> None:
        """Follow what is near the money or held now, and no longer the rest."""
        self._centred_ms, self.is_stale = at_ms, False
        wanted = self.universe.modes(self.spots, self.held)
        first = dict.fromkeys(self.held | self.universe.underlying_tokens, 0)
        for number, line in enumerate(self.lines):
            mine = self._of_connection(number, wanted)
            chosen = fitting(mine, first, self.most)
            self.log.note_left_out(number, len(mine) - len(chosen))
            await line.follow(chosen)
            in_full = (
                token for token, mode in chosen.items() if mode == wanted.get(token, mode) == "full"
            )
            line.weights = self._canaries.weighed(in_full)

    def _of_connection(self, number: int, wanted: Mapping[int, Mode]) -> dict[int, Mode]:
        """Return what of it a connection carries, and an index that tells whether it is alive.

        One at least is followed in full: without the exchange's time there is no clock.
        """
        connection_of = self.spread.connection_of
        own = {token: mode for token, mode in wanted.items() if connection_of(token) == number}
        indices = [one for one in self.universe.followed if one.is_index]
        if indices and len(own) < self.most:
            own.setdefault(indices[0].instrument_token, "full")
        if own and "full" not in own.values():
            own[max(own, key=lambda token: (self._canaries.weight(token), -token))] = "full"
        return own


def _stamped(columns: TickColumns, at_ms: int) -> TickColumns:
    columns.exchange_timestamp[:] = at_ms
    return columns
