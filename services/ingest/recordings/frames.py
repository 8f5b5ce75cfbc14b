"""Recorded ticks of many instruments merged into frames: what arrived together."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from libs.events.event import ms_from_utc
from libs.events.ticks import TickColumns
from libs.market.calendar import Session
from services.ingest.feed import Frame
from services.ingest.recordings.ticks import RecordedTicks

MAX_FRAME_ROWS = 3000


def frames_of(
    ticks: Sequence[RecordedTicks],
    tokens: Mapping[str, int],
    session: Session,
    step_ms: int = 1000,
) -> Iterator[Frame]:
    """Merge files into frames of `step_ms`, as they would have arrived together.

    The files hold no arrival times: arrival is the highest time of the day in the file so far,
    so that a row delivered late arrives late. Rows of one arrival are ordered by symbol, then as in
    the file; frames of more than 3,000 rows are divided. The last frame is a heartbeat after
    the session, so that every candle closes even where the recording ends early.
    """
    ordered = sorted(ticks, key=lambda one: one.symbol)
    arrival = np.concatenate([_arrival(one.at_ms, session) for one in ordered])
    step = arrival // step_ms
    order = np.argsort(step, kind="stable")
    columns = TickColumns.concat([_columns(one, tokens[one.symbol]) for one in ordered]).take(order)
    last_ms = session.close_ms
    for start, stop in _cuts(step[order]):
        received_ms = int(arrival[order[start:stop]].max())
        last_ms = max(last_ms, received_ms)
        yield Frame(received_ms, columns.take(slice(start, stop)))
    yield Frame(last_ms + 60_000, TickColumns.empty())


def _columns(one: RecordedTicks, instrument_token: int) -> TickColumns:
    return TickColumns(
        instrument_token=np.full(len(one.at_ms), instrument_token, np.uint32),
        exchange_timestamp=one.at_ms,
        last_price=one.last_price,
        volume_traded=one.volume,
        **one.more,
    )


def _arrival(at_ms: NDArray[np.int64], session: Session) -> NDArray[np.int64]:
    """Return the running maximum of the day's times, at least the open (epoch ms)."""
    start = ms_from_utc(session.opens_at) - 12 * 3600_000
    is_of_day = (at_ms >= start) & (at_ms < start + 24 * 3600_000)
    known: NDArray[np.int64] = np.where(is_of_day, at_ms, 0)
    return np.maximum(np.maximum.accumulate(known), session.open_ms)


def _cuts(step: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(step)) + 1
    for start, stop in zip([0, *edges.tolist()], [*edges.tolist(), len(step)], strict=True):
        for first in range(start, stop, MAX_FRAME_ROWS):
            yield first, min(first + MAX_FRAME_ROWS, stop)
