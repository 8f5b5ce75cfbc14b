"""The candles of one instrument and interval, in columns."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import chain, repeat
from math import isnan

import numpy as np
from numpy.typing import NDArray

from libs.events.candles import Candle, Interval

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Days = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class CandleHistory:
    """Candles, oldest first, each time once. Times are epoch ms, prices rupees or index points.

    `volume` is in units, 0 for an index; `vwap` is nan where it is not known; `trading_day` is the
    day in India as datetime64[D].
    """

    exchange: str
    tradingsymbol: str
    interval: Interval
    opened_ms: Integers
    closes_ms: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Integers
    vwap: Floats
    trading_day: Days

    def __len__(self) -> int:
        return len(self.opened_ms)

    @property
    def key(self) -> str:
        """The instrument as exchange:tradingsymbol."""
        return f"{self.exchange}:{self.tradingsymbol}"

    def candles(self) -> Iterator[Candle]:
        """Return the candles as strategies take them: of source "backfill", revision 0."""
        count = len(self)
        of_day = _cumulative(self.volume, self.trading_day)
        columns = (
            repeat(self.exchange, count),
            repeat(self.tradingsymbol, count),
            repeat(None, count),
            repeat(0, count),
            self.opened_ms.tolist(),
            self.closes_ms.tolist(),
            self.open.tolist(),
            self.high.tolist(),
            self.low.tolist(),
            self.close.tolist(),
            self.volume.tolist(),
            _known(self.vwap),
            repeat(1, count),
            repeat(0, count),
            of_day.tolist(),
            repeat(0, count),
            repeat(self.interval, count),
            repeat("backfill", count),
            _dates(self.trading_day),
        )
        return map(_CANDLE, zip(*columns, strict=True))


_CANDLE: Callable[[tuple[object, ...]], Candle] = partial(tuple.__new__, Candle)
"""As Candle._make of a tuple, in a third of the time."""


def _known(vwap: Floats) -> Iterable[float | None]:
    """Return the prices with None for those that are not known."""
    unknown = np.isnan(vwap)
    if unknown.all():
        return repeat(None, len(vwap))
    return [None if isnan(value) else value for value in vwap.tolist()]


def _dates(days: Days) -> Iterator[date]:
    """Return the dates, each of which stays one object for all candles of the day."""
    firsts = np.flatnonzero(np.r_[True, days[1:] != days[:-1]])[: len(days)]
    dates: list[date] = days[firsts].astype("datetime64[D]").tolist()
    counts = np.diff(np.r_[firsts, len(days)]).tolist()
    return chain.from_iterable(map(repeat, dates, counts))


def _cumulative(volume: Integers, day: Days) -> Integers:
    """Return the day's volume up to each candle's close."""
    if not len(volume):
        return volume
    total = np.cumsum(volume)
    first = np.flatnonzero(np.r_[True, day[1:] != day[:-1]])
    before = np.r_[0, total][first]
    of_day: Integers = total - np.repeat(before, np.diff(np.r_[first, len(volume)]))
    return of_day
