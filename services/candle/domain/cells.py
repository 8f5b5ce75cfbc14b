"""The parts of a candle per instrument and minute, in numpy arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.candle.domain.schedule import Span

Array = NDArray[Any]
NONE = -1
_PARTS: Mapping[str, tuple[type, float]] = {
    "open": (np.float64, 0.0),
    "high": (np.float64, -np.inf),
    "low": (np.float64, np.inf),
    "close": (np.float64, 0.0),
    "open_at": (np.uint16, 0),
    "open_volume": (np.int64, 0),
    "close_at": (np.uint16, 0),
    "close_volume": (np.int64, 0),
    "cumulative": (np.int64, NONE),
    "oi": (np.int64, 0),
    "ticks": (np.int32, 0),
    "is_traded": (np.bool_, False),
    "turnover": (np.float64, 0.0),
    "traded": (np.int64, 0),
}


class Cells:
    """Cells of shape (minutes, instruments); those of a minute are contiguous.

    `open_at` and `close_at` are milliseconds since the minute began, at most 60,000: the close of a
    session is in its last minute. A part that is 0 takes memory only once it is written: as long
    as no instrument has open interest, none is.
    """

    def __init__(self, minutes: int) -> None:
        self._minutes = minutes
        self._count = self._capacity = 0
        self._flat: dict[str, Array] = {}
        self._has_oi = False
        self._resize(0)

    def __len__(self) -> int:
        return self._count

    def grow(self, count: int) -> None:
        """Add `count` instruments at the end."""
        self._count += count
        if self._count > self._capacity:
            self._resize(max(self._count, self._capacity * 5 // 4))

    def restore(self, cell: Array, parts: Mapping[str, Array | int]) -> None:
        """Put parts into cells that have none."""
        for name, part in parts.items():
            if name != "oi" or np.any(part):
                self._flat[name][cell] = part
                self._has_oi = self._has_oi or name == "oi"

    def at(self, row: Array, minute: Array | int) -> Array:
        """Return the flat indexes of the cells of instruments and minutes."""
        return minute * self._capacity + row

    def __getitem__(self, part: str) -> Array:
        """Return a part of all cells as a flat array, indexed by `at`."""
        return self._flat[part]

    def span(self, part: str, span: Span, rows: Array | None = None) -> Array:
        """Return a part of the cells of a span, of all instruments or of some."""
        within = self._flat[part].reshape(self._minutes, self._capacity)[span.start : span.stop]
        return within[:, : self._count] if rows is None else within[:, rows]

    def merge(self, cell: Array, new: Mapping[str, Array]) -> None:
        """Merge aggregated ticks into their cells; no cell may occur twice.

        Turnover is left out: it is added tick by tick, so that it does not depend on how ticks
        are batched.
        """
        flat = self._flat
        is_first = flat["ticks"][cell] == 0
        opens = is_first | self._is_before(cell, "open", new)
        closes = is_first | ~self._is_before(cell, "close", new)
        self._put(cell, opens, new, ("open", "open_at", "open_volume"))
        self._put(cell, closes, new, ("close", "close_at", "close_volume"))
        self._has_oi = self._has_oi or bool(new["oi"].any())
        if self._has_oi:
            self._put(cell, closes, new, ("oi",))
        flat["high"][cell] = np.maximum(flat["high"][cell], new["high"])
        flat["low"][cell] = np.minimum(flat["low"][cell], new["low"])
        flat["cumulative"][cell] = np.maximum(flat["cumulative"][cell], new["cumulative"])
        flat["ticks"][cell] += new["ticks"]
        flat["is_traded"][cell] |= new["is_traded"]
        flat["traded"][cell] += new["traded"]

    def _put(
        self, cell: Array, chosen: Array, new: Mapping[str, Array], names: tuple[str, ...]
    ) -> None:
        if chosen.all():
            for name in names:
                self._flat[name][cell] = new[name]
        elif chosen.any():
            for name in names:
                self._flat[name][cell[chosen]] = new[name][chosen]

    def _is_before(self, cell: Array, end: str, new: Mapping[str, Array]) -> Array:
        """Return where the new (time, volume) is strictly before the cell's."""
        at, held_at = new[f"{end}_at"], self._flat[f"{end}_at"][cell]
        earlier: Array = at < held_at
        same = at == held_at
        if same.any():
            earlier |= same & (new[f"{end}_volume"] < self._flat[f"{end}_volume"][cell])
        return earlier

    def _resize(self, capacity: int) -> None:
        for name, (kind, empty) in _PARTS.items():
            cells: Array = np.zeros((self._minutes, capacity), kind)
            if empty:
                cells.fill(empty)
            if name in self._flat:
                cells[:, : self._capacity] = self._flat[name].reshape(self._minutes, self._capacity)
            self._flat[name] = cells.reshape(-1)
        self._capacity = capacity
