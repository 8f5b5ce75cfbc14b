"""Columns of ticks that stay packed bytes until they are asked for."""

from functools import lru_cache
from struct import Struct
from typing import Any

import numpy as np

from libs.events.ticks import COLUMN_TYPES, REQUIRED, TickColumns

_COLUMNS = tuple((name, np.dtype(kind), name in REQUIRED) for name, kind in COLUMN_TYPES.items())
_EMPTY = b"\0"
_set = object.__setattr__


class Layout:
    """Where the columns of so many rows lie behind each other; each has its length before it."""

    def __init__(self, rows: int, carried: frozenset[str]) -> None:
        self.rows = rows
        self.starts: dict[str, int] = {}
        form, at = "<", 0
        lengths = []
        for name, kind, _ in _COLUMNS:
            size = rows * kind.itemsize if name in carried else 0
            length = _avro_long(size)
            form += f"{len(length)}s{size}x"
            lengths.append(length)
            at += len(length)
            if size:
                self.starts[name] = at
            at += size
        self._lengths, self._form = tuple(lengths), Struct(form)

    def fits(self, value: bytes, at: int) -> bool:
        """Return whether the columns lie so in a value from `at` on."""
        is_long = len(value) - at >= self._form.size
        return is_long and self._form.unpack_from(value, at) == self._lengths


class PackedColumns(TickColumns):
    """Ticks in place: a column is a view of the bytes, made when it is asked for."""

    __slots__ = ("_at", "_layout", "_value")
    _value: bytes
    _at: int
    _layout: Layout

    def __init__(self, value: bytes, at: int, layout: Layout) -> None:
        _set(self, "_value", value)
        _set(self, "_at", at)
        _set(self, "_layout", layout)

    def __len__(self) -> int:
        return self._layout.rows

    def __reduce__(self) -> tuple[type[TickColumns], tuple[Any, ...]]:
        return TickColumns, tuple(self.columns().values())

    def __getattr__(self, name: str) -> Any:
        # Only a column that was not asked for before comes here: its slot is empty.
        if name not in COLUMN_TYPES:
            raise AttributeError(name)
        start, column = self._layout.starts.get(name), None
        if start is not None:
            kind = COLUMN_TYPES[name]
            column = np.frombuffer(self._value, kind, self._layout.rows, self._at + start)
        _set(self, name, column)
        return column


def columns_in_place(value: bytes, at: int, rows: int) -> PackedColumns | None:
    """Return the columns from `at` on; None if they do not have `rows` rows each."""
    layout = _known.get(rows)
    if layout is None or not layout.fits(value, at):
        layout = _layout_of(value, at, rows)
    return None if layout is None else PackedColumns(value, at, layout)


_known: dict[int, Layout] = {}
"""The layout that was met last, by rows: a feed's batches carry the same columns."""
_MOST_KNOWN = 4096


def _layout_of(value: bytes, at: int, rows: int) -> Layout | None:
    """Look at column after column, and keep the layout for the next batch of so many rows."""
    carried = _carried(value, at, rows)
    if carried is None:
        return None
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    layout = _known[rows] = Layout(rows, carried)
    return layout if layout.fits(value, at) else None


def _carried(value: bytes, at: int, rows: int) -> frozenset[str] | None:
    carried = set()
    for name, kind, is_required in _COLUMNS:
        size = rows * kind.itemsize
        length = _avro_long(size)
        if value.startswith(length, at):
            carried.add(name)
            at += len(length) + size
        elif is_required or not value.startswith(_EMPTY, at):
            return None
        else:
            at += len(_EMPTY)
    return frozenset(carried)


@lru_cache(maxsize=1024)
def _avro_long(number: int) -> bytes:
    """Return a non-negative number in Avro's encoding: zigzag, 7 bits per byte."""
    out, rest = bytearray(), number << 1
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)
