"""Which ticks are accepted into candles, and why others are refused."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from libs.market.calendar import day_span_ms
from libs.market.instruments import Instrument
from services.candle.domain.groups import stable_order
from services.candle.domain.opening import OpeningVolume
from services.candle.domain.plausible import Plausible
from services.candle.domain.repeats import Repeats
from services.candle.domain.run import UNKNOWN_VOLUME, Array, Arrivals, Ticks
from services.candle.domain.schedule import Schedule

Mask = NDArray[np.bool_]
YEAR_MS = 365 * 24 * 3600 * 1000
HIGHEST_PRICE = 10_000_000.0
HIGHEST_VOLUME = 1 << 40


@dataclass(slots=True)
class TickCounts:
    """How many ticks were accepted, refused by reason, and accepted with a defect by reason."""

    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)


class TickFilter:
    """Refuses invalid ticks, exact repeats within the grace, and what is not plausible."""

    def __init__(
        self, schedule: Schedule, opening: OpeningVolume, grace_ms: int, ahead_ms: int
    ) -> None:
        self._schedule = schedule
        self._grace_ms = grace_ms
        self._ahead_ms = ahead_ms
        self._day = day_span_ms(schedule.sessions[0].day)
        self._opening = opening
        self._repeats = Repeats()
        self._plausible = Plausible()
        self._count = 0

    def add(self, instruments: Sequence[Instrument]) -> None:
        """Add instruments at the end."""
        self._count += len(instruments)
        self._repeats.grow(len(instruments))
        self._plausible.add(instruments)

    @property
    def held(self) -> Ticks:
        """Refused ticks that the next update of their instrument may confirm."""
        return self._plausible.held

    def restore(self, rows: Array, price: Array, volume: Array) -> None:
        """Judge what follows by the last price and volume that were published."""
        self._plausible.restore(rows, price, volume)

    def admit(
        self, ticks: Ticks, arrivals: Arrivals, watermark_ms: int, counts: TickCounts
    ) -> Ticks:
        """Return the accepted ticks, by instrument, then in order of arrival.

        The others are counted under their first reason. `watermark_ms` is the clock before the
        first batch (epoch ms).
        """
        if not self._are_all_valid(ticks, int(arrivals.received_ms.min())):
            received_ms = arrivals.received_ms[ticks.batch]
            is_valid = self._valid(ticks, received_ms, counts)
            self._opening.note(ticks, self._is_before(ticks), is_valid, self._repeats.has_begun)
            ticks = ticks.take(is_valid)
        valid = ticks.take(stable_order(ticks.row, self._count))
        oldest_ms = arrivals.watermarks(watermark_ms) - self._grace_ms
        passed = self._repeats.without(valid, oldest_ms)
        if len(passed) < len(valid):
            counts.rejected["duplicate"] += len(valid) - len(passed)
        return self._plausible.taken(passed, counts)

    def _is_before(self, ticks: Ticks) -> Mask:
        """Return which ticks are of the day, before its open, with a volume that can be."""
        is_before: Mask = ticks.at_ms >= self._day[0]
        is_before &= ticks.at_ms < self._schedule.open_ms
        return is_before & (ticks.volume <= HIGHEST_VOLUME)

    def _are_all_valid(self, ticks: Ticks, received_ms: int) -> bool:
        """Compare only the extremes: mostly all ticks are valid, and this is cheap."""
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

    def _valid(self, ticks: Ticks, received_ms: Array, counts: TickCounts) -> Mask:
        at_ms, price, volume = ticks.at_ms, ticks.price, ticks.volume
        refusals: dict[str, Mask] = {
            "epoch_zero": at_ms < YEAR_MS,
            "other_day": (at_ms < self._day[0]) | (at_ms >= self._day[1]),
            "bad_price": ~((price > 0) & (price <= HIGHEST_PRICE)),
            "bad_volume": (volume < UNKNOWN_VOLUME) | (volume > HIGHEST_VOLUME),
            "outside_session": ~self._schedule.is_open(at_ms),
            "ahead_of_clock": at_ms > received_ms + self._ahead_ms,
        }
        valid = np.ones(len(ticks), np.bool_)
        for reason, refused in refusals.items():
            counts.rejected[reason] += int((refused & valid).sum())
            valid &= ~refused
        counts.rejected += Counter()  # drops reasons that did not occur
        return valid
