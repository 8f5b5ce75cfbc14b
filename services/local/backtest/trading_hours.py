"""Until when a backtest enters and holds positions, row by row of a history."""

from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from libs.events.event import ms_from_utc
from libs.market.calendar import IST
from services.executor.domain.policy import EntryFilter
from services.local.backtest.candles.days import day_rows, sessions_of
from services.local.backtest.candles.history import CandleHistory, Integers
from services.position.domain.exit_rules.settings import ExitSettings

_ENTRY, _EXIT = EntryFilter(), ExitSettings()


@dataclass(frozen=True, slots=True)
class TradingHours:
    """By row: from when nothing is entered on its day (epoch ms), and where the day is ended.

    A position of the day is squared off at the open of row `end`, or at its close where
    `is_at_open` is False; `is_cut`: there the data end before the square-off.
    """

    last_entry_ms: Integers
    end: Integers
    is_at_open: NDArray[np.bool_]
    is_cut: NDArray[np.bool_]


def trading_hours(history: CandleHistory) -> TradingHours:
    """Return the hours by the executor's and the position service's own settings."""
    days = list(day_rows(history.trading_day))
    times = [_last_times(history.exchange, one.day) for one in days]
    last_entry, off = np.array(times, np.int64).reshape(-1, 2).T
    stop = np.array([one.stop for one in days], np.int64)
    first_after = np.searchsorted(history.opened_ms, off)
    is_cut = (stop == len(history)) & (history.closes_ms[stop - 1] < off)
    counts = np.diff(stop, prepend=0)
    return TradingHours(
        last_entry_ms=np.repeat(last_entry, counts),
        end=np.repeat(np.minimum(first_after, stop - 1), counts),
        is_at_open=np.repeat(first_after < stop, counts),
        is_cut=np.repeat(is_cut, counts),
    )


@lru_cache(maxsize=10_000)
def _last_times(exchange: str, day: date) -> tuple[int, int]:
    """Return from when nothing is entered, and when all is squared off, epoch ms."""
    sessions = sessions_of(exchange, day)
    close_ms = sessions[-1].close_ms if sessions else None
    return (
        _at(day, _ENTRY.last_entry, close_ms, _ENTRY.before_close_ms),
        _at(day, _EXIT.square_off, close_ms, _EXIT.before_close_ms),
    )


def _at(day: date, at: time, close_ms: int | None, before_close_ms: int) -> int:
    """Return a time of the day (epoch ms), earlier where the exchange closes earlier."""
    at_ms = ms_from_utc(datetime.combine(day, at, IST))
    return at_ms if close_ms is None else min(at_ms, close_ms - before_close_ms)
