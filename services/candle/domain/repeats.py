"""Finds exact repeats: ticks with instrument, time, price, volume and open interest of another.

A tick later than all earlier ones of its instrument, by time and volume, is no repeat; one equal
to the latest is a repeat. Only other ticks have to be looked up.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.candle.domain.groups import group_starts, previous
from services.candle.domain.run import Ticks

Array = NDArray[Any]
Mask = NDArray[np.bool_]


class _Known(NamedTuple):
    newest_ms: int
    ticks: Ticks


class Repeats:
    """Remembers ticks for as long as they may be repeated."""

    def __init__(self) -> None:
        self._known: list[_Known] = []
        self._at_ms: Array = np.empty(0, np.int64)
        self._volume: Array = np.empty(0, np.int64)
        self._price: Array = np.empty(0, np.float64)
        self._oi: Array = np.empty(0, np.int64)

    def __len__(self) -> int:
        return sum(len(known.ticks) for known in self._known)

    def grow(self, count: int) -> None:
        """Add `count` instruments at the end."""
        self._at_ms = np.concatenate([self._at_ms, np.full(count, -1)])
        self._volume = np.concatenate([self._volume, np.full(count, -1)])
        self._price = np.concatenate([self._price, np.full(count, np.nan)])
        self._oi = np.concatenate([self._oi, np.full(count, 0)])

    @property
    def has_begun(self) -> Mask:
        """Which instruments have had a tick."""
        begun: Mask = self._at_ms >= 0
        return begun

    def without(self, ticks: Ticks, oldest_ms: Array) -> Ticks:
        """Return ticks without repeats, and remember them; `ticks` are by row, then arrival.

        `oldest_ms`: per batch, the time from which repeats are recognised (epoch ms).
        """
        if not len(ticks):
            return ticks
        starts = ticks.by_row.starts
        before_ms = previous(ticks.at_ms, starts, self._at_ms[ticks.row[starts]])
        if (ticks.at_ms > before_ms).all():
            self._note_last(ticks)
        else:
            repeats = self._compared(ticks, starts, before_ms, oldest_ms)
            ticks = ticks.take(~repeats) if repeats.any() else ticks
        self._remember(ticks, int(oldest_ms[-1]))
        return ticks

    def _compared(self, ticks: Ticks, starts: Array, before_ms: Array, oldest_ms: Array) -> Mask:
        """Compare each tick with the one before it; look up instruments that this leaves open."""
        heads = ticks.row[starts]
        volume = previous(ticks.volume, starts, self._volume[heads])
        price = previous(ticks.price, starts, self._price[heads])
        is_same_time = ticks.at_ms == before_ms
        is_after = (ticks.at_ms > before_ms) | (is_same_time & (ticks.volume > volume))
        is_recent = ticks.at_ms >= oldest_ms[ticks.batch]
        equals = is_same_time & (ticks.volume == volume) & (ticks.price == price)
        equals &= ticks.oi == previous(ticks.oi, starts, self._oi[heads])
        repeats: Mask = equals & is_recent
        is_sure = is_after | repeats
        if is_sure.all():
            self._note_last(ticks)
            return repeats
        is_unsure = np.zeros(len(self._at_ms), np.bool_)
        is_unsure[ticks.row[~is_sure]] = True
        unsure = np.flatnonzero(is_unsure[ticks.row])
        repeats[unsure] = self._looked_up(ticks.take(unsure), is_unsure) & is_recent[unsure]
        self._note_highest(ticks, starts, is_unsure[heads])
        return repeats

    def _looked_up(self, ticks: Ticks, is_unsure: Mask) -> Mask:
        """Return which ticks repeat a remembered one or one among themselves."""
        oldest = int(ticks.at_ms.min())
        keys = [
            _keys(known, is_unsure[known.row] & (known.at_ms >= oldest))
            for newest_ms, known in self._known
            if newest_ms >= oldest
        ]
        every = np.ones(len(ticks), np.bool_)
        return _seen_before(np.concatenate([*keys, _keys(ticks, every)]))[-len(ticks) :]

    def _note_last(self, ticks: Ticks) -> None:
        _, ends, rows = ticks.by_row
        self._at_ms[rows] = ticks.at_ms[ends]
        self._volume[rows] = ticks.volume[ends]
        self._price[rows] = ticks.price[ends]
        self._oi[rows] = ticks.oi[ends]

    def _note_highest(self, ticks: Ticks, starts: Array, is_unsure: Mask) -> None:
        """Note the last ticks; of unsure instruments the highest time and volume, no price."""
        unsure = ticks.row[starts][is_unsure]
        at_ms = np.maximum.reduceat(ticks.at_ms, starts)[is_unsure]
        volume = np.maximum.reduceat(ticks.volume, starts)[is_unsure]
        at_ms = np.maximum(at_ms, self._at_ms[unsure])
        volume = np.maximum(volume, self._volume[unsure])
        self._note_last(ticks)
        self._at_ms[unsure], self._volume[unsure] = at_ms, volume
        self._price[unsure] = np.nan

    def _remember(self, ticks: Ticks, oldest_ms: int) -> None:
        kept = [known for known in self._known if known.newest_ms >= oldest_ms]
        newest_ms = int(ticks.at_ms.max()) if len(ticks) else 0
        self._known = [*kept, _Known(newest_ms, ticks)] if newest_ms >= oldest_ms else kept


def _keys(ticks: Ticks, chosen: Mask) -> NDArray[np.uint64]:
    """Mix all by which ticks are compared into 64 bits (splitmix64's multipliers)."""
    key = ticks.row[chosen].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    key = (key ^ ticks.at_ms[chosen].astype(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
    key ^= key >> np.uint64(27)
    key = (key ^ ticks.price[chosen].view(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
    key ^= key >> np.uint64(27)
    key = (key ^ ticks.volume[chosen].astype(np.uint64)) * np.uint64(0x94D049BB133111EB)
    key ^= key >> np.uint64(31)
    key = (key ^ ticks.oi[chosen].astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    return key ^ (key >> np.uint64(31))


def _seen_before(keys: NDArray[np.uint64]) -> Mask:
    """Return which keys occurred before."""
    order = np.argsort(keys)
    first = np.minimum.reduceat(order, group_starts(keys[order]))
    repeats = np.ones(len(keys), np.bool_)
    repeats[first] = False
    return repeats
