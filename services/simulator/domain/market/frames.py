"""Frames of ticks, one a second, cut out of whole-day columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from libs.events.ticks import TickColumns
from libs.market.arrays import IntArray
from services.simulator.domain.market.underlying_ticks import ArrivingTicks


@dataclass(frozen=True, slots=True)
class Frame:
    """What the feed sends in one second: its time in epoch ms, and the ticks (maybe none)."""

    at_ms: int
    columns: TickColumns


class FrameColumns:
    """Ticks of all underlyings in the order of arrival, with the place of each second's first.

    Within a second rows go by token, then come those that arrive behind: repeats and late ones.
    """

    def __init__(self, parts: Sequence[ArrivingTicks], seconds: int) -> None:
        columns = TickColumns.concat([part.columns for part in parts])
        second = np.concatenate([part.second for part in parts])
        is_after = np.concatenate([part.is_after for part in parts])
        order = np.lexsort((columns.instrument_token, is_after, second))
        self._columns = columns.take(order)
        self._starts = _starts(second[order], seconds)

    def of(self, second: int) -> TickColumns:
        """Ticks of a second, counted from the open."""
        return self._columns.take(slice(self._starts[second], self._starts[second + 1]))


def _starts(second: IntArray, seconds: int) -> list[int]:
    starts: list[int] = np.searchsorted(second, np.arange(seconds + 1)).tolist()
    return starts
