"""When candles open: each session of a day has its own, from its open on.

No candle reaches over a pause: the last one of a session ends at its close, and may be short. The
candle of a day goes from the first open to the last close.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from libs.market.arrays import IntArray
from libs.market.calendar import Session


def opens_of(at_ms: IntArray, length_ms: int, sessions: Sequence[Session]) -> IntArray:
    """Return when the candle opens that holds each time (epoch ms), counted from its session's
    open; a time after a close belongs to the session before it.
    """
    base = _at(at_ms, [one.open_ms for one in sessions], sessions)
    return np.asarray(base + (at_ms - base) // length_ms * length_ms, np.int64)


def closes_of(opens_ms: IntArray, length_ms: int, sessions: Sequence[Session]) -> IntArray:
    """Return when candles close that open within the sessions (epoch ms)."""
    last_ms = _at(opens_ms, [one.close_ms for one in sessions], sessions)
    return np.asarray(np.minimum(opens_ms + length_ms, last_ms), np.int64)


def spans_of(session: Session, length_ms: int) -> Iterator[tuple[int, int]]:
    """Yield open and close of a session's candles (epoch ms), oldest first."""
    for opened_ms in range(session.open_ms, session.close_ms, length_ms):
        yield opened_ms, min(opened_ms + length_ms, session.close_ms)


def _at(at_ms: IntArray, values: Sequence[int], sessions: Sequence[Session]) -> IntArray:
    """Return the value of the last session that has begun, of the first one before all."""
    opens = np.array([one.open_ms for one in sessions], np.int64)
    begun = np.maximum(np.searchsorted(opens, at_ms, side="right") - 1, 0)
    return np.asarray(np.array(values, np.int64)[begun], np.int64)
