"""Maps the tokens of a partition to session and row, many tokens at once."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.events.outages import Outages
from libs.events.ticks import TickBatch
from services.candle.domain.session_candles import SessionCandles

Array = NDArray[Any]
NO_SESSION = -1
_UNKNOWN = -1
_MULTIPLIER = np.uint32(2_654_435_769)  # Knuth's, 2**32 / golden ratio
_SLOTS_PER_TOKEN = 8
_LONGEST_RUN = 64
"""More batches at once are hardly faster, and are checked again when a run ends early."""


class TokenIndex:
    """The sessions of a partition on one trading day, and each token's session and row.

    `clock_ms` is the partition's clock, with which a session that is added later begins.
    `outages` are the times at which its ticks are missing.
    After a restart, minutes from `replayed_from_ms` on are rebuilt from ticks.
    """

    def __init__(self, day: date, replayed_from_ms: int | None = None) -> None:
        self.day = day
        self.replayed_from_ms = replayed_from_ms
        self.sessions: list[SessionCandles] = []
        self.clock_ms = 0
        self.outages = Outages()
        self.session: Array = np.empty(0, np.int64)
        self.row: Array = np.empty(0, np.int64)
        self._tokens: Array = np.empty(0, np.int64)
        self._is_one_session = False
        self._slots: Array = np.zeros(1, np.int64)
        self._shift = np.uint32(31)

    def find(self, tokens: Array) -> Array:
        """Return each token's index, -1 for an unknown one."""
        if not len(self._tokens):
            return np.full(len(tokens), _UNKNOWN)
        at = self._slots[self._slot_of(tokens)]  # tokens that share a slot are searched for below
        is_missed = self._tokens[at] != tokens
        if is_missed.any():
            at[is_missed] = self._search(tokens[is_missed])
        return at

    def insert(self, tokens: Sequence[int], session: int, rows: Sequence[int]) -> None:
        """Add tokens of a session; the index stays sorted."""
        at = np.searchsorted(self._tokens, tokens)
        self._tokens = np.insert(self._tokens, at, tokens)
        self.session = np.insert(self.session, at, session)
        self.row = np.insert(self.row, at, rows)
        self._is_one_session = bool((self.session == 0).all())
        bits = (_SLOTS_PER_TOKEN * len(self._tokens)).bit_length()
        self._shift = np.uint32(32 - bits)
        self._slots = np.zeros(1 << bits, np.int64)
        self._slots[self._slot_of(self._tokens)] = np.arange(len(self._tokens))

    def of_session(self, number: int, at: Array) -> Array | slice:
        """Return which of the found tokens are of a session."""
        if self._is_one_session and (not len(at) or at.min() >= 0):
            return slice(None)
        return np.flatnonzero((at >= 0) & (self.session[at] == number))

    def run_length(self, batches: Sequence[TickBatch]) -> int:
        """Return how many batches may be handled together, see `CandleAggregator.run_length`."""
        some = batches[: self._until_close(batches)]
        ends = np.cumsum([len(batch.columns) for batch in some])
        at = self.find(np.concatenate([batch.columns.instrument_token for batch in some]))
        unknown = _first(at < 0)
        if unknown is not None:
            some = some[: max(1, int(np.searchsorted(ends, unknown, side="right")))]
            at = at[: ends[len(some) - 1]]
        at_ms = np.concatenate([batch.columns.exchange_timestamp for batch in some])
        late = [self._first_late(at, at_ms), *self._first_confirming(at)]
        first = min((one for one in late if one is not None), default=None)
        if first is None:
            return len(some)
        return max(1, int(np.searchsorted(ends, first, side="right")))

    def may_wait(self, batch: TickBatch) -> bool:
        """Return whether a batch causes nothing, see `CandleAggregator.may_wait`."""
        if batch.trading_day != self.day or not self.sessions:
            return False
        if any(batch.clock_ms >= session.closes_ms for session in self.sessions):
            return False
        at = self.find(batch.columns.instrument_token)
        if len(at) and at.min() < 0:
            return False
        late = (self._first_late(at, batch.columns.exchange_timestamp), *self._first_confirming(at))
        return all(one is None for one in late)

    def _until_close(self, batches: Sequence[TickBatch]) -> int:
        """Return the number of batches before another day, or up to one that closes a minute."""
        closes_ms = min((session.closes_ms for session in self.sessions), default=np.inf)
        for number, batch in enumerate(batches[:_LONGEST_RUN]):
            if batch.trading_day != self.day:
                return max(1, number)
            if batch.clock_ms >= closes_ms:
                return number + 1
        return min(len(batches), _LONGEST_RUN)

    def _first_late(self, at: Array, at_ms: Array) -> int | None:
        """Return the index of the first tick in a closed minute, valid or not."""
        closed = np.array([session.closed_span_ms for session in self.sessions] + [(0, 0)])
        if not len(at_ms) or at_ms.min() >= closed[:, 1].max():
            return None
        opened_ms, closed_ms = closed[self.session[at]].T
        return _first((at_ms >= opened_ms) & (at_ms < closed_ms))

    def _first_confirming(self, at: Array) -> Iterator[int | None]:
        """Yield the index of the first tick that may make a refused one late."""
        for number, session in enumerate(self.sessions):
            if len(rows := session.late_if_confirmed):
                yield _first((self.session[at] == number) & np.isin(self.row[at], rows))

    def _slot_of(self, tokens: Array) -> Array:
        hashed: Array = tokens.astype(np.uint32) * _MULTIPLIER
        return (hashed >> self._shift).astype(np.intp)

    def _search(self, tokens: Array) -> Array:
        at = np.minimum(np.searchsorted(self._tokens, tokens), len(self._tokens) - 1)
        return np.where(self._tokens[at] == tokens, at, _UNKNOWN)


def _first(mask: Array) -> int | None:
    return int(mask.argmax()) if mask.any() else None
