"""One-minute candles of a path, for the warm-up with earlier trading days."""

from typing import TypedDict

import numpy as np

from libs.market.arrays import FloatArray, IntArray
from services.simulator.domain.market.paths import PricePath

_MINUTE_MS = 60_000


class MinuteCandles(TypedDict):
    """One-minute candles in columns of one length; minutes without a tick are absent.

    `opened_at_ms` in epoch ms, prices in rupees or points, `volume` and `cumulative_volume` (the
    day's, at the candle's close) in units, `ticks` the number of ticks. The first candle's volume
    includes the opening auction.
    """

    opened_at_ms: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: IntArray
    cumulative_volume: IntArray
    ticks: IntArray


def minute_candles(path: PricePath) -> MinuteCandles:
    """Fold a path's ticks into one-minute candles, as the feed of that day would have."""
    minute = path.at_ms[path.is_tick] // _MINUTE_MS
    price, volume = path.last_price[path.is_tick], path.volume_traded[path.is_tick]
    first = np.flatnonzero(np.diff(minute, prepend=minute[0] - 1))
    last = np.append(first[1:], minute.size) - 1
    return MinuteCandles(
        opened_at_ms=minute[first] * _MINUTE_MS,
        open=price[first],
        high=np.maximum.reduceat(price, first),
        low=np.minimum.reduceat(price, first),
        close=price[last],
        volume=np.diff(volume[last], prepend=0),
        cumulative_volume=volume[last],
        ticks=last - first + 1,
    )
