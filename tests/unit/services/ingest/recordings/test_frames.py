"""Recorded files into frames: each row in one frame, in any order of files."""

import asyncio
import gzip
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.ticks import TickColumns
from libs.market.calendar import load_calendar
from libs.market.instruments import Instrument
from services.ingest.feed import Frame
from services.ingest.recorded_feed import RecordedFeed, read_day
from services.ingest.recordings.errors import RecordingError
from services.ingest.recordings.frames import MAX_FRAME_ROWS, frames_of
from services.ingest.recordings.instruments import instruments_of
from services.ingest.recordings.place import Recordings
from services.ingest.recordings.ticks import RecordedTicks

DAY = date(2026, 6, 17)
SESSION = load_calendar().sessions("NSE", DAY)[0]
OPEN = SESSION.open_ms
seconds = st.lists(st.integers(-10, 100), max_size=30)


def ticks(symbol: str, stamps: Sequence[int], volume: int = 1) -> RecordedTicks:
    count = len(stamps)
    return RecordedTicks(
        symbol=symbol,
        at_ms=np.array([OPEN + second * 1000 for second in stamps], np.int64),
        last_price=100.0 + np.arange(count, dtype=np.float64),
        volume=np.full(count, volume, np.int64),
    )


def rows_of(frames: Sequence[TickColumns]) -> list[tuple[int, int, float]]:
    return [
        row
        for frame in frames
        for row in zip(
            frame.instrument_token.tolist(),
            frame.exchange_timestamp.tolist(),
            frame.last_price.tolist(),
            strict=True,
        )
    ]


@given(seconds, seconds)
def test_every_row_is_in_one_frame_whatever_the_order_of_the_files(
    one: list[int], two: list[int]
) -> None:
    files = [ticks("A", one), ticks("B", two)]
    tokens = {"A": 257, "B": 513}
    frames = [frame.columns for frame in frames_of(files, tokens, SESSION)]
    swapped = [frame.columns for frame in frames_of(files[::-1], tokens, SESSION)]
    assert rows_of(frames) == rows_of(swapped)
    assert len(rows_of(frames)) == len(one) + len(two)


@given(seconds)
def test_frames_arrive_in_order_and_a_row_delivered_late_arrives_late(stamps: list[int]) -> None:
    frames = list(frames_of([ticks("A", stamps)], {"A": 257}, SESSION))
    arrivals = [frame.received_ms for frame in frames]
    assert arrivals == sorted(arrivals)
    for frame in frames:
        assert (frame.columns.exchange_timestamp <= frame.received_ms).all()
    assert rows_of([f.columns for f in frames]) == [
        (257, OPEN + s * 1000, 100.0 + n) for n, s in enumerate(stamps)
    ]


def test_the_last_frame_is_a_heartbeat_after_the_session() -> None:
    *_, last = frames_of([ticks("A", [1, 2])], {"A": 257}, SESSION)
    assert len(last.columns) == 0
    assert last.received_ms > SESSION.close_ms


def test_a_recording_does_not_say_when_the_last_trade_was_nor_the_open() -> None:
    first, *_ = frames_of([ticks("A", [1, 2])], {"A": 257}, SESSION)
    assert (first.columns.last_trade_time, first.columns.open_price) == (None, None)


def test_a_frame_holds_no_more_rows_than_a_connection_may_carry() -> None:
    frames = list(frames_of([ticks("A", [5] * 7000)], {"A": 257}, SESSION))
    assert [len(frame.columns) for frame in frames] == [MAX_FRAME_ROWS, MAX_FRAME_ROWS, 1000, 0]


def test_tokens_depend_on_the_symbol_alone_and_a_file_without_volume_is_an_index() -> None:
    both = instruments_of([ticks("A", [1]), ticks("B", [1], volume=0)])
    (alone,) = instruments_of([ticks("A", [1])])
    assert both[0] == alone
    assert [one.segment for one in both] == ["NSE", "INDICES"]


def test_a_folder_without_days_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no folder named by a date"):
        Recordings(tmp_path).days()


class Quotes:
    """Options that are quoted at ten times the spot."""

    contracts: Sequence[Instrument] = ()

    def near(self, spots: Mapping[str, float], at_ms: int) -> TickColumns:
        return self.of([999], spots, at_ms)

    def of(
        self, instrument_tokens: Collection[int], spots: Mapping[str, float], at_ms: int
    ) -> TickColumns:
        count = len(instrument_tokens)
        return TickColumns(
            instrument_token=np.array(list(instrument_tokens), np.uint32),
            exchange_timestamp=np.full(count, at_ms, np.int64),
            last_price=np.full(count, 10 * spots["A"]),
        )


async def frames_of_feed(feed: RecordedFeed) -> list[Frame]:
    return [frame async for frame in feed.frames()]


def test_options_are_quoted_at_intervals_and_followed_ones_in_every_frame(tmp_path: Path) -> None:
    folder = tmp_path / DAY.isoformat()
    folder.mkdir()
    lines = [f"{DAY} 09:15:{second:02},{100 + second},5" for second in range(7)]
    text = "\n".join(["timestamp,ltp,volume", *lines, ""])
    (folder / "A.csv.gz").write_bytes(gzip.compress(text.encode()))
    feed = RecordedFeed(read_day(Recordings(tmp_path), DAY, None, load_calendar()), Quotes())
    feed.follow([777])
    frames = asyncio.run(frames_of_feed(feed))[:7]
    quoted = [rows_of([frame.columns])[1:] for frame in frames]
    assert [[token for token, *_ in rows] for rows in quoted] == [
        [999, 777], [777], [777], [777], [777], [999, 777], [777]
    ]  # fmt: skip
    assert quoted[3][0][2] == 1030.0
