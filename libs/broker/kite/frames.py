"""Decodes Kite's binary frames, a run of equal packets at once."""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.broker.kite.packets import FULL, LAYOUTS, divisors
from libs.events.ticks import COLUMN_TYPES, TickColumns

Run = NDArray[Any]

_MS_PER_SECOND = 1_000
_WORD_BYTES = 4
_HEADER_BYTES = 2
_FIRST_WINDOW = 16
_LENGTH = np.dtype(">u2")
_uint16 = struct.Struct(">H").unpack_from
_count_and_length = struct.Struct(">HH").unpack_from

# Columns that are evenly spaced in a full packet are grouped, to be copied at once.
_COUNT_GROUPS = (
    ("instrument_token", "last_traded_quantity"),
    ("volume_traded", "total_buy_quantity", "total_sell_quantity"),
    ("oi", "exchange_timestamp"),
    ("bid_quantity", "ask_quantity"),
    ("last_trade_time",),
)
_PRICE_GROUPS = (
    ("last_price", "average_traded_price"),
    ("bid_price", "ask_price"),
    ("open_price",),
)
_COUNTS = tuple(name for group in _COUNT_GROUPS for name in group)
_PRICES = tuple(name for group in _PRICE_GROUPS for name in group)
_TOKEN, _TIME = _COUNTS.index("instrument_token"), _COUNTS.index("exchange_timestamp")
_TRADED = _COUNTS.index("last_trade_time")
_ORDER = tuple((_COUNTS + _PRICES).index(name) for name in COLUMN_TYPES)


@dataclass(frozen=True, slots=True)
class _Words:
    """A layout seen as 32-bit words, and which of them go to which rows of the columns."""

    layout: "np.dtype[np.void]"
    counts: tuple[tuple[slice, slice], ...]
    prices: tuple[tuple[slice, slice], ...]
    has_time: bool


def _words(layout: "np.dtype[np.void]") -> _Words:
    fields: Mapping[str, Any] = layout.fields or {}
    word = {name: fields[name][1] // _WORD_BYTES for name in fields}
    if "open" in word:
        word["open_price"] = word["open"]
    if layout is FULL:
        word |= {"bid_quantity": word["buy"], "ask_quantity": word["sell"]}
        word |= {"bid_price": word["buy"] + 1, "ask_price": word["sell"] + 1}
    return _Words(
        np.dtype([("words", ">u4", (layout.itemsize // _WORD_BYTES,))]),
        tuple(_copies(_COUNT_GROUPS, _COUNTS, word)),
        tuple(_copies(_PRICE_GROUPS, _PRICES, word)),
        "exchange_timestamp" in word,
    )


def _copies(
    groups: Iterable[tuple[str, ...]], rows: tuple[str, ...], word: Mapping[str, int]
) -> Iterator[tuple[slice, slice]]:
    """Yield (rows to fill, words to fill them with) for what a layout has of each group."""
    for group in groups:
        names = [name for name in group if name in word]
        if names:
            first, last = word[names[0]], word[names[-1]]
            step = (last - first) // (len(names) - 1) if len(names) > 1 else 1
            start = rows.index(names[0])
            yield slice(start, start + len(names)), slice(first, last + 1, step)


_WORDS = {length: _words(layout) for length, layout in LAYOUTS.items()}


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """The packets of one message, in its order; a heartbeat has none.

    `runs` are views into the message: structured, big-endian, each of one layout. `broken` counts
    packets that are lost: of a length that no layout has, cut off, or beyond the frame's count.
    """

    runs: tuple[Run, ...]
    broken: int

    def __len__(self) -> int:
        return sum(map(len, self.runs))

    @property
    def is_garbage(self) -> bool:
        """Whether it has packets, none of which can be read."""
        return self.broken > 0 and not len(self)

    def columns(self, received_ms: int) -> TickColumns:
        """Return all packets as columns, one row each; missing fields are 0.

        Packets without the exchange's time get `received_ms` (epoch ms).
        """
        size = len(self)
        is_full = len(self.runs) == 1 and self.runs[0].dtype is FULL
        empty = np.empty if is_full else np.zeros
        counts, prices = empty((len(_COUNTS), size), "<i8"), empty((len(_PRICES), size), "<f8")
        start = 0
        for run in self.runs:
            at = slice(start, start + len(run))
            _fill(counts[:, at], prices[:, at], run, received_ms)
            start = at.stop
        prices /= divisors(counts[_TOKEN])
        rows = [*counts, *prices]
        rows[_TOKEN] = rows[_TOKEN].astype("<u4")
        return TickColumns(*[rows[row] for row in _ORDER])


def _fill(counts: Run, prices: Run, run: Run, received_ms: int) -> None:
    plan = _WORDS[run.dtype.itemsize]
    words = run.view(plan.layout)["words"].T
    for rows, of in plan.counts:
        counts[rows] = words[of]
    for rows, of in plan.prices:
        prices[rows] = words[of]
    at_ms, traded_ms = counts[_TIME], counts[_TRADED]
    if plan.has_time:
        np.multiply(at_ms, _MS_PER_SECOND, out=at_ms)
        np.multiply(traded_ms, _MS_PER_SECOND, out=traded_ms)
    else:
        at_ms[:] = received_ms


def decode(payload: bytes) -> DecodedFrame:
    """Split a binary message into packets; damaged packets are counted, never raised."""
    if len(payload) < _HEADER_BYTES:
        return DecodedFrame((), 0)
    run = _whole_frame(payload)
    return DecodedFrame((run,), 0) if run is not None else _cut(payload)


def _whole_frame(payload: bytes) -> Run | None:
    """Return the packets of an undamaged frame of one layout, after a single check."""
    if len(payload) < 2 * _HEADER_BYTES:
        return None
    count, length = _count_and_length(payload)
    layout, stride = LAYOUTS.get(length), _HEADER_BYTES + length
    if layout is None or len(payload) != _HEADER_BYTES + count * stride:
        return None
    if _leading(payload, _HEADER_BYTES, stride, count) != count:
        return None
    return np.ndarray((count,), layout, payload, 2 * _HEADER_BYTES, (stride,))


def _cut(payload: bytes) -> DecodedFrame:
    """Split a frame of several layouts, or a damaged one, into runs of packets of one length."""
    runs: list[Run] = []
    offset, left, broken = _HEADER_BYTES, _uint16(payload)[0], 0
    while left and offset + _HEADER_BYTES <= len(payload):
        length: int = _uint16(payload, offset)[0]
        stride = _HEADER_BYTES + length
        size = _equal_lengths(payload, offset, stride, min(left, (len(payload) - offset) // stride))
        if not size:
            break
        if length in LAYOUTS:
            first = offset + _HEADER_BYTES
            runs.append(np.ndarray((size,), LAYOUTS[length], payload, first, (stride,)))
        else:
            broken += size
        offset += size * stride
        left -= size
    is_too_long = not left and offset < len(payload)
    return DecodedFrame(tuple(runs), broken + left + is_too_long)


def _equal_lengths(payload: bytes, offset: int, stride: int, whole: int) -> int:
    """Return how many of `whole` packets, `stride` bytes apart, have the length of the first.

    Windows grow, so that many short runs do not each look at the whole rest.
    """
    checked, window = 0, _FIRST_WINDOW
    while checked < whole:
        size = min(window, whole - checked)
        equal = _leading(payload, offset + checked * stride, stride, size)
        checked += equal
        if equal < size:
            break
        window *= 2
    return checked


def _leading(payload: bytes, offset: int, stride: int, size: int) -> int:
    """Return how many of `size` lengths are, from the first on, those that `stride` implies."""
    lengths: NDArray[Any] = np.ndarray((size,), _LENGTH, payload, offset, (stride,))
    length = stride - _HEADER_BYTES
    if lengths.tobytes() == length.to_bytes(_HEADER_BYTES, "big") * size:
        return size
    return int((lengths != length).argmax())
