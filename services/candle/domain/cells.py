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
    "open_at": (np.int64, 0),
    "open_volume": (np.int64, 0),
    "close_at": (np.int64, 0),
    "close_volume": (np.int64, 0),
    "cumulative": (np.int64, NONE),
    "oi": (np.int64, 0),
    "ticks": (np.int64, 0),
    "trades": (np.int64, 0),
    "turnover": (np.float64, 0.0),
    "traded": (np.int64, 0),
}


class Cells:
    """Cells of shape (minutes, instruments); those of a minute are contiguous."""

    def __init__(self, minutes: int) -> None:
        self._minutes = minutes
        self._count = self._capacity = 0
        self._flat: dict[str, Array] = {}
        self._resize(0)

    def __len__(self) -> int:
        return self._count

    def grow(self, count: int) -> None:
        """Add `count` instruments at the end."""
        self._count += count
        if self._count > self._capacity:
            self._resize(max(self._count, self._capacity * 5 // 4))

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
        self._put(cell, closes, new, ("close", "close_at", "close_volume", "oi"))
        flat["high"][cell] = np.maximum(flat["high"][cell], new["high"])
        flat["low"][cell] = np.minimum(flat["low"][cell], new["low"])
        flat["cumulative"][cell] = np.maximum(flat["cumulative"][cell], new["cumulative"])
        flat["ticks"][cell] += new["ticks"]
        flat["trades"][cell] += new["trades"]
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
            cells: Array = np.full((self._minutes, capacity), empty, kind)
            if name in self._flat:
                cells[:, : self._capacity] = self._flat[name].reshape(self._minutes, self._capacity)
            self._flat[name] = cells.reshape(-1)
        self._capacity = capacity
