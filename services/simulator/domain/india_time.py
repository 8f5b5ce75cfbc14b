"""Times as Kite writes them, on India's clock."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

import numpy as np

from libs.market.arrays import IntArray
from libs.market.calendar import IST

_SECOND_MS = 1000
_DAY_MS = 24 * 3600 * _SECOND_MS


def clock(at_ms: int) -> str:
    """Wall clock of a quote or an order, e.g. `2021-06-08 15:45:56`."""
    return _clock_of_second(at_ms // _SECOND_MS)


@lru_cache(maxsize=1024)
def _clock_of_second(at_second: int) -> str:
    return f"{_india(at_second * _SECOND_MS):%Y-%m-%d %H:%M:%S}"


def second(at_ms: int) -> str:
    """Second of the day, e.g. `09:18:57`."""
    return f"{_india(at_ms):%H:%M:%S}"


def time_of_day(at_ms: int) -> time:
    """Time of the day in India."""
    return _india(at_ms).time()


def at_time(day: date, at: time) -> int:
    """Epoch ms of a time of a day in India."""
    return round(datetime.combine(day, at, IST).timestamp() * _SECOND_MS)


def stamps(at_ms: IntArray) -> Iterator[str]:
    """Opening times of candles, e.g. `2017-12-15T09:15:00+0530`."""
    if not at_ms.size:
        return iter(())
    # India has had one offset since 1945, so the first candle's holds for all
    first = _india(int(at_ms[0]))
    shift = (first.utcoffset() or timedelta()) // timedelta(milliseconds=1)
    texts = np.datetime_as_string((at_ms + shift).astype("datetime64[ms]"), unit="s")
    return (f"{text}{first:%z}" for text in texts.tolist())


def day_of(at_ms: int) -> date:
    """Day in India."""
    return _india(at_ms).date()


def days_between(from_ms: int, to_ms: int) -> float:
    """Length of a span of time in days."""
    return (to_ms - from_ms) / _DAY_MS


def _india(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / _SECOND_MS, UTC).astimezone(IST)
