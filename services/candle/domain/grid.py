"""The state of a trading day's candles: one cell per instrument and minute, in numpy arrays.

A cell is updated by all ticks of a frame at once. Longer candles are read off the minutes, so
there is one state to keep right. Volume is never summed over ticks: a candle's volume is the
rise of the running maximum of the day's cumulative volume.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.candle.domain.gate import Ticks
from services.candle.domain.schedule import Span

Array = NDArray[Any]
_NONE = -1
_APART = 1 << 42
"""More than any volume or time span: keeps groups apart in one running maximum."""
_CELL: dict[str, tuple[type, float]] = {
    "open": (np.float64, 0.0),
    "high": (np.float64, -np.inf),
    "low": (np.float64, np.inf),
    "close": (np.float64, 0.0),
    "open_at": (np.int64, 0),
    "open_volume": (np.int64, 0),
    "close_at": (np.int64, 0),
    "close_volume": (np.int64, 0),
    "cumulative": (np.int64, _NONE),
    "oi": (np.int64, 0),
    "ticks": (np.int64, 0),
    "turnover": (np.float64, 0.0),
    "traded": (np.int64, 0),
}
_ROW = {"base": _NONE, "running": _NONE, "last_at": 0}


@dataclass(frozen=True, slots=True)
class CandleValues:
    """Candles of one span, one per instrument row that had ticks. `vwap` is nan without volume."""

    row: Array
    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    vwap: Array
    ticks: Array
    oi: Array
    cumulative_volume: Array

    def __len__(self) -> int:
        return len(self.row)

    def take(self, chosen: Array) -> "CandleValues":
        """Return the chosen candles, in that order."""
        return CandleValues(*(getattr(self, name)[chosen] for name in self.__slots__))


class Grid:
    """Cells of shape (instruments, minutes); grows by instruments."""

    def __init__(self, minutes: int) -> None:
        self._minutes = minutes
        self._cells: dict[str, Array] = {
            name: np.empty((0, minutes), kind) for name, (kind, _) in _CELL.items()
        }
        self._rows: dict[str, Array] = {name: np.empty(0, np.int64) for name in _ROW}

    def __len__(self) -> int:
        return len(self._rows["base"])

    def grow(self, count: int) -> None:
        """Add so many instruments at the end."""
        for name, (kind, empty) in _CELL.items():
            cells: Array = np.full((count, self._minutes), empty, kind)
            self._cells[name] = np.concatenate([self._cells[name], cells])
        for name, start in _ROW.items():
            rows: Array = np.full(count, start, np.int64)
            self._rows[name] = np.concatenate([self._rows[name], rows])

    def add(self, ticks: Ticks, minute: Array) -> tuple[int, int]:
        """Fold ticks, each into the cell of its minute.

        Returns how many stepped back in time and in volume, by arrival.
        """
        traded, back = self._follow(ticks)
        cell = ticks.row * self._minutes + minute
        if _all_differ(cell):
            self._merge(cell, _each_alone(ticks, traded))
        else:
            order = np.lexsort((np.arange(len(cell)), ticks.volume, ticks.at_ms, cell))
            starts = _group_starts(cell[order])
            self._merge(cell[order][starts], _groups(ticks.take(order), traded[order], starts))
        return back

    def values(self, span: Span, rows: Array | None = None) -> CandleValues:
        """Return the candles of a span, for all instruments or for some rows."""
        chosen = np.arange(len(self)) if rows is None else rows
        present = self._part("ticks", span, chosen) > 0
        chosen, present = chosen[present.any(axis=1)], present[present.any(axis=1)]
        first = span.start + present.argmax(axis=1)
        last = span.stop - 1 - present[:, ::-1].argmax(axis=1)
        after = self._cumulative_before(span.stop, chosen)
        traded = self._part("traded", span, chosen).sum(axis=1)
        turnover = self._part("turnover", span, chosen).sum(axis=1)
        return CandleValues(
            row=chosen,
            open=self._cells["open"][chosen, first],
            high=self._part("high", span, chosen).max(axis=1),
            low=self._part("low", span, chosen).min(axis=1),
            close=self._cells["close"][chosen, last],
            volume=after - self._cumulative_before(span.start, chosen),
            vwap=np.where(traded > 0, turnover / np.maximum(traded, 1), np.nan),
            ticks=self._part("ticks", span, chosen).sum(axis=1),
            oi=self._cells["oi"][chosen, last],
            cumulative_volume=after,
        )

    def restore(self, minute: int, values: CandleValues, starts_ms: int, stops_ms: int) -> None:
        """Put back a minute that was closed before a restart."""
        rows = values.row
        for name in ("open", "high", "low", "close", "ticks", "oi"):
            self._cells[name][rows, minute] = getattr(values, name)
        self._cells["open_at"][rows, minute] = starts_ms
        self._cells["close_at"][rows, minute] = stops_ms - 1
        for name in ("open_volume", "close_volume", "cumulative"):
            self._cells[name][rows, minute] = values.cumulative_volume
        traded = np.where(np.isnan(values.vwap), 0, values.volume)
        self._cells["traded"][rows, minute] = traded
        self._cells["turnover"][rows, minute] = np.nan_to_num(values.vwap) * traded
        base, running = self._rows["base"], self._rows["running"]
        first = base[rows] == _NONE
        base[rows] = np.where(first, values.cumulative_volume - values.volume, base[rows])
        running[rows] = np.maximum(running[rows], values.cumulative_volume)
        self._rows["last_at"][rows] = np.maximum(self._rows["last_at"][rows], stops_ms - 1)

    def _part(self, name: str, span: Span, rows: Array) -> Array:
        return self._cells[name][:, span.start : span.stop][rows]

    def _cumulative_before(self, minute: int, rows: Array) -> Array:
        base = np.maximum(self._rows["base"][rows], 0)
        seen = self._cells["cumulative"][:, :minute][rows]
        return np.maximum(base, seen.max(axis=1)) if minute else base

    def _follow(self, ticks: Ticks) -> tuple[Array, tuple[int, int]]:
        """Advance each instrument's running maxima; return the units that each tick traded."""
        row, base, running = ticks.row, self._rows["base"], self._rows["running"]
        order = np.arange(len(row)) if _all_differ(row) else np.argsort(row, kind="stable")
        starts = _group_starts(row[order])
        volume, heads = ticks.volume[order], row[order][starts]
        opening = np.where(base[heads] == _NONE, volume[starts], base[heads])
        base[heads] = opening
        before = _running_before(volume, starts, np.maximum(running[heads], opening))
        at_before = _running_before(ticks.at_ms[order], starts, self._rows["last_at"][heads])
        running[heads] = _last_running(volume, before, starts)
        self._rows["last_at"][heads] = _last_running(ticks.at_ms[order], at_before, starts)
        traded = np.empty(len(row), np.int64)
        traded[order] = np.maximum(volume - before, 0)
        backs = int((ticks.at_ms[order] < at_before).sum()), int((volume < before).sum())
        return traded, backs

    def _merge(self, cell: Array, part: dict[str, Array]) -> None:
        flat = {name: array.reshape(-1) for name, array in self._cells.items()}
        is_first = flat["ticks"][cell] == 0
        opens = is_first | _before(part, "open", flat, cell)
        closes = is_first | ~_before(part, "close", flat, cell)
        for name in ("open", "open_at", "open_volume"):
            flat[name][cell[opens]] = part[name][opens]
        for name in ("close", "close_at", "close_volume", "oi"):
            flat[name][cell[closes]] = part[name][closes]
        flat["high"][cell] = np.maximum(flat["high"][cell], part["high"])
        flat["low"][cell] = np.minimum(flat["low"][cell], part["low"])
        flat["cumulative"][cell] = np.maximum(flat["cumulative"][cell], part["cumulative"])
        for name in ("ticks", "turnover", "traded"):
            flat[name][cell] += part[name]


def _before(part: dict[str, Array], end: str, flat: dict[str, Array], cell: Array) -> Array:
    """Return where the new (time, volume) comes strictly before the cell's."""
    at, held_at = part[f"{end}_at"], flat[f"{end}_at"][cell]
    volume, held_volume = part[f"{end}_volume"], flat[f"{end}_volume"][cell]
    earlier: Array = (at < held_at) | ((at == held_at) & (volume < held_volume))
    return earlier


def _each_alone(ticks: Ticks, traded: Array) -> dict[str, Array]:
    prices = dict.fromkeys(("open", "high", "low", "close"), ticks.price)
    times = dict.fromkeys(("open_at", "close_at"), ticks.at_ms)
    volumes = dict.fromkeys(("open_volume", "close_volume", "cumulative"), ticks.volume)
    return {
        **prices,
        **times,
        **volumes,
        "oi": ticks.oi,
        "ticks": np.ones(len(ticks), np.int64),
        "turnover": ticks.price * traded,
        "traded": traded,
    }


def _groups(ticks: Ticks, traded: Array, starts: Array) -> dict[str, Array]:
    """Sum up ticks sorted by cell, time, volume and arrival; `starts` begins each cell's."""
    ends = np.append(starts[1:], len(ticks)) - 1
    return {
        "open": ticks.price[starts],
        "high": np.maximum.reduceat(ticks.price, starts),
        "low": np.minimum.reduceat(ticks.price, starts),
        "close": ticks.price[ends],
        "open_at": ticks.at_ms[starts],
        "open_volume": ticks.volume[starts],
        "close_at": ticks.at_ms[ends],
        "close_volume": ticks.volume[ends],
        "cumulative": np.maximum.reduceat(ticks.volume, starts),
        "oi": ticks.oi[ends],
        "ticks": ends - starts + 1,
        "turnover": np.add.reduceat(ticks.price * traded, starts),
        "traded": np.add.reduceat(traded, starts),
    }


def _all_differ(values: Array) -> bool:
    """Return whether no value occurs twice; values are small non-negative integers."""
    if len(values) < 2 or bool((values[1:] > values[:-1]).all()):
        return True
    return len(np.unique(values)) == len(values)


def _group_starts(sorted_values: Array) -> Array:
    changes = np.flatnonzero(sorted_values[1:] != sorted_values[:-1]) + 1
    return np.concatenate([np.zeros(1, np.int64), changes])


def _running_before(values: Array, starts: Array, initial: Array) -> Array:
    """Return the running maximum before each value, per group, beginning with `initial`."""
    sizes = np.diff(np.append(starts, len(values)))
    if len(starts) == len(values):
        return initial
    group = np.repeat(np.arange(len(starts)), sizes)
    floor = np.repeat(initial, sizes)
    apart = group * _APART
    running = np.maximum.accumulate(np.maximum(values, floor) + apart) - apart
    before = np.empty_like(running)
    before[1:] = running[:-1]
    before[starts] = initial
    return before


def _last_running(values: Array, before: Array, starts: Array) -> Array:
    ends = np.append(starts[1:], len(values)) - 1
    last: Array = np.maximum(values[ends], before[ends])
    return last
