"""Which ticks may change a candle, and why the others may not."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.candle.domain.schedule import Schedule

Mask = NDArray[np.bool_]
YEAR_MS = 365 * 24 * 3600 * 1000
DAY_MS = 24 * 3600 * 1000
IST_OFFSET_MS = 330 * 60_000
HIGHEST_PRICE = 10_000_000.0
UNKNOWN_VOLUME = -1
HIGHEST_VOLUME = 1 << 40


@dataclass(slots=True)
class TickCounts:
    """How many ticks were accepted, refused by reason, and accepted with a defect by reason."""

    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Ticks:
    """Ticks of known instruments in arrival order. `volume` is cumulative, -1 where unknown."""

    row: NDArray[np.int64]
    at_ms: NDArray[np.int64]
    price: NDArray[np.float64]
    volume: NDArray[np.int64]
    oi: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)

    def take(self, chosen: NDArray[Any]) -> "Ticks":
        """Return the chosen ticks."""
        return Ticks(*(getattr(self, name)[chosen] for name in self.__slots__))


class Gate:
    """Refuses ticks for what they are, and exact repeats within the grace."""

    def __init__(self, schedule: Schedule, grace_ms: int, ahead_ms: int) -> None:
        self._schedule = schedule
        self._grace_ms = grace_ms
        self._ahead_ms = ahead_ms
        day_start = (schedule.open_ms + IST_OFFSET_MS) // DAY_MS * DAY_MS - IST_OFFSET_MS
        self._day = (day_start, day_start + DAY_MS)
        self._seen: dict[int, NDArray[np.uint64]] = {}

    def admit(self, ticks: Ticks, received_ms: int, watermark_ms: int, counts: TickCounts) -> Ticks:
        """Return the ticks that pass; count the others under their first reason."""
        if self._all_are_sound(ticks, received_ms):
            passed = ticks
        else:
            passed = ticks.take(self._sound(ticks, received_ms, counts))
        repeats = self._repeats(passed, watermark_ms)
        if not repeats.any():
            return passed
        counts.rejected["duplicate"] += int(repeats.sum())
        return passed.take(~repeats)

    def _all_are_sound(self, ticks: Ticks, received_ms: int) -> bool:
        """Judge a whole frame by its extremes: the common case costs a few comparisons."""
        if not len(ticks):
            return True
        first, last = ticks.at_ms.min(), ticks.at_ms.max()
        one_session = any(
            first >= session.open_ms and last < session.close_ms
            for session in self._schedule.sessions
        )
        is_timely = one_session and last <= received_ms + self._ahead_ms
        is_priced = ticks.price.min() > 0 and ticks.price.max() <= HIGHEST_PRICE
        lowest, highest = ticks.volume.min(), ticks.volume.max()
        is_counted = lowest >= UNKNOWN_VOLUME and highest <= HIGHEST_VOLUME
        return bool(is_timely and is_priced and is_counted)

    def _sound(self, ticks: Ticks, received_ms: int, counts: TickCounts) -> Mask:
        at_ms, price, volume = ticks.at_ms, ticks.price, ticks.volume
        refusals: dict[str, Mask] = {
            "epoch_zero": at_ms < YEAR_MS,
            "other_day": (at_ms < self._day[0]) | (at_ms >= self._day[1]),
            "bad_price": ~((price > 0) & (price <= HIGHEST_PRICE)),
            "bad_volume": (volume < UNKNOWN_VOLUME) | (volume > HIGHEST_VOLUME),
            "outside_session": ~self._schedule.is_open(at_ms),
            "ahead_of_clock": at_ms > received_ms + self._ahead_ms,
        }
        sound = np.ones(len(ticks), np.bool_)
        for reason, refused in refusals.items():
            counts.rejected[reason] += int((refused & sound).sum())
            sound &= ~refused
        counts.rejected += Counter()  # drops reasons that did not occur
        return sound

    def _repeats(self, ticks: Ticks, watermark_ms: int) -> Mask:
        repeats = np.zeros(len(ticks), np.bool_)
        oldest = watermark_ms - self._grace_ms
        for at_ms in {*ticks.at_ms.tolist()}:
            if at_ms >= oldest:
                chosen = np.flatnonzero(ticks.at_ms == at_ms)
                repeats[chosen] = self._seen_before(at_ms, _keys(ticks.take(chosen)))
        for at_ms in [known for known in self._seen if known < oldest]:
            del self._seen[at_ms]
        return repeats

    def _seen_before(self, at_ms: int, keys: NDArray[np.uint64]) -> Mask:
        distinct, first = np.unique(keys, return_index=True)
        repeats = np.ones(len(keys), np.bool_)
        repeats[first] = False
        known = self._seen.get(at_ms)
        if known is None:
            self._seen[at_ms] = distinct
            return repeats
        self._seen[at_ms] = np.union1d(known, distinct)
        return repeats | np.isin(keys, known)


def _keys(ticks: Ticks) -> NDArray[np.uint64]:
    """Mix instrument, price and volume into 64 bits (splitmix64's multipliers)."""
    price_bits = np.ascontiguousarray(ticks.price).view(np.uint64)
    key = ticks.row.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    key = (key ^ price_bits) * np.uint64(0xBF58476D1CE4E5B9)
    key ^= key >> np.uint64(27)
    key = (key ^ ticks.volume.astype(np.uint64)) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))
