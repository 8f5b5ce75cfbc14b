"""What is known of each instrument in each minute, in numpy arrays: the parts of a candle."""

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
    "turnover": (np.float64, 0.0),
    "traded": (np.int64, 0),
}


class Cells:
    """Cells of shape (minutes, instruments): a minute lies together, since it is used together."""

    def __init__(self, minutes: int) -> None:
        self._minutes = minutes
        self._count = self._room = 0
        self._flat: dict[str, Array] = {}
        self._make_room(0)

    def __len__(self) -> int:
        return self._count

    def grow(self, count: int) -> None:
        """Add so many instruments at the end."""
        self._count += count
        if self._count > self._room:
            self._make_room(max(self._count, self._room * 5 // 4))

    def at(self, row: Array, minute: Array | int) -> Array:
        """Return where the cells of instruments and minutes are."""
        return minute * self._room + row

    def __getitem__(self, part: str) -> Array:
        """Return a part of all cells, to be read or written at `at`."""
        return self._flat[part]

    def span(self, part: str, span: Span, rows: Array | None = None) -> Array:
        """Return a part of the cells of a span, of all instruments or of some."""
        within = self._flat[part].reshape(self._minutes, self._room)[span.start : span.stop]
        return within[:, : self._count] if rows is None else within[:, rows]

    def merge(self, cell: Array, of: Mapping[str, Array]) -> None:
        """Merge what ticks bring into their cells, each of which occurs once.

        Turnover is not in it: it is added up tick by tick, so that it is the same however ticks
        come together.
        """
        flat = self._flat
        is_first = flat["ticks"][cell] == 0
        opens = is_first | self._is_before(cell, "open", of)
        closes = is_first | ~self._is_before(cell, "close", of)
        self._put(cell, opens, of, ("open", "open_at", "open_volume"))
        self._put(cell, closes, of, ("close", "close_at", "close_volume", "oi"))
        flat["high"][cell] = np.maximum(flat["high"][cell], of["high"])
        flat["low"][cell] = np.minimum(flat["low"][cell], of["low"])
        flat["cumulative"][cell] = np.maximum(flat["cumulative"][cell], of["cumulative"])
        flat["ticks"][cell] += of["ticks"]
        flat["traded"][cell] += of["traded"]

    def _put(
        self, cell: Array, chosen: Array, of: Mapping[str, Array], names: tuple[str, ...]
    ) -> None:
        if chosen.all():
            for name in names:
                self._flat[name][cell] = of[name]
        elif chosen.any():
            for name in names:
                self._flat[name][cell[chosen]] = of[name][chosen]

    def _is_before(self, cell: Array, end: str, of: Mapping[str, Array]) -> Array:
        """Return where the new (time, volume) comes strictly before the cell's."""
        at, held_at = of[f"{end}_at"], self._flat[f"{end}_at"][cell]
        earlier: Array = at < held_at
        same = at == held_at
        if same.any():
            earlier |= same & (of[f"{end}_volume"] < self._flat[f"{end}_volume"][cell])
        return earlier

    def _make_room(self, room: int) -> None:
        for name, (kind, empty) in _PARTS.items():
            cells: Array = np.full((self._minutes, room), empty, kind)
            if name in self._flat:
                cells[:, : self._room] = self._flat[name].reshape(self._minutes, self._room)
            self._flat[name] = cells.reshape(-1)
        self._room = room
