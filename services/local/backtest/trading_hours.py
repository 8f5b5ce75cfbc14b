"""Until when a backtest enters and holds positions, row by row of a history."""

from dataclasses import dataclass
from datetime import date, datetime, time

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
    count = len(history)
    last_entry, end = np.zeros(count, np.int64), np.zeros(count, np.int64)
    at_open, is_cut = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    for day, start, stop in day_rows(history.trading_day):
        close_ms = _close_ms(history.exchange, day)
        last_entry[start:stop] = _at(day, _ENTRY.last_entry, close_ms, _ENTRY.before_close_ms)
        off_ms = _at(day, _EXIT.square_off, close_ms, _EXIT.before_close_ms)
        row = start + int(np.searchsorted(history.opened_ms[start:stop], off_ms))
        end[start:stop] = min(row, stop - 1)
        at_open[start:stop] = row < stop
        is_cut[start:stop] = stop == count and int(history.closes_ms[stop - 1]) < off_ms
    return TradingHours(last_entry, end, at_open, is_cut)


def _close_ms(exchange: str, day: date) -> int | None:
    sessions = sessions_of(exchange, day)
    return sessions[-1].close_ms if sessions else None


def _at(day: date, at: time, close_ms: int | None, before_close_ms: int) -> int:
    """Return a time of the day (epoch ms), earlier where the exchange closes earlier."""
    at_ms = ms_from_utc(datetime.combine(day, at, IST))
    return at_ms if close_ms is None else min(at_ms, close_ms - before_close_ms)
