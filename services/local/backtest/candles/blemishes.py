"""What is unusual about recorded candles: it is used as recorded, and counted in one warning."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date

import numpy as np

from libs.events.candles import MINUTES
from libs.market.calendar import Session, load_calendar
from libs.market.rupees import grouped
from services.local.backtest.candles.days import DayRows, day_rows, sessions_of
from services.local.backtest.candles.history import CandleHistory

_MINUTE_MS = 60_000
_SAID = {
    "outside_range": "an open or close outside low..high",
    "shifted": "a first candle of the day that does not open on the interval's grid",
    "off_grid": "another candle off the interval's grid",
    "outside_session": "a candle outside the exchange's sessions",
    "missing": "a missing candle",
    "short_day": "a day that lacks candles",
    "special_day": "a special day of the exchange",
    "closed_day": "a day on which the exchange was closed",
    "missing_day": "a trading day without any candle",
}


def blemishes(history: CandleHistory) -> Counter[str]:
    """Return how often each kind occurs, in the order in which they are told."""
    found: Counter[str] = Counter(dict.fromkeys(_SAID, 0))
    prices = np.stack((history.open, history.close))
    outside = (prices < history.low) | (prices > history.high)
    found["outside_range"] = int(outside.any(axis=0).sum())
    seen: set[date] = set()
    for rows in day_rows(history.trading_day):
        seen.add(rows.day)
        found.update(_of_day(history, rows))
    found["missing_day"] = _missing_days(history, seen)
    return found


def warnings_of(histories: Sequence[CandleHistory]) -> tuple[str, ...]:
    """Return one warning of all that is unusual, none where nothing is."""
    found = sum((blemishes(one) for one in histories), Counter())
    said = [f"{grouped(found[kind])} × {text}" for kind, text in _SAID.items() if found[kind]]
    return (f"candles used as recorded: {'; '.join(said)}",) if said else ()


def _of_day(history: CandleHistory, rows: DayRows) -> Iterator[str]:
    """Yield the kinds of a day's blemishes; nothing for a day outside the calendar."""
    sessions = sessions_of(history.exchange, rows.day)
    if sessions is None:
        return
    if not sessions:
        yield "closed_day"
        return
    if _is_special(history.exchange, rows, sessions):
        yield "special_day"
    if history.interval == "day":
        return
    opened = history.opened_ms[rows.start : rows.stop]
    length = MINUTES[history.interval] * _MINUTE_MS
    expected = np.unique(np.concatenate([_grid(one, length) for one in sessions]))
    is_within = np.any([(opened >= s.open_ms) & (opened < s.close_ms) for s in sessions], axis=0)
    on_grid = np.isin(opened, expected)
    yield from ["outside_session"] * int((~is_within).sum())
    is_off = is_within & ~on_grid
    if is_off.any():
        is_first = bool(is_off[np.argmax(is_within)])
        yield from ["shifted"] * is_first + ["off_grid"] * (int(is_off.sum()) - is_first)
    missing = len(expected) - int(is_within.sum())
    if missing > 0:
        yield "short_day"
        yield from ["missing"] * missing


def _grid(session: Session, length: int) -> "np.ndarray":
    return np.arange(session.open_ms, session.close_ms, length)


def _is_special(exchange: str, rows: DayRows, sessions: Sequence[Session]) -> bool:
    """Return whether it is a weekend, or has other hours than the days around it usually have."""
    usual = load_calendar().widest_hours(exchange)
    length = sum(one.close_ms - one.open_ms for one in sessions)
    hours = (usual[1].hour - usual[0].hour) * 60 + usual[1].minute - usual[0].minute
    return rows.day.weekday() >= 5 or length < hours * _MINUTE_MS // 2


def _missing_days(history: CandleHistory, seen: set[date]) -> int:
    if not len(history):
        return 0
    first, last = history.trading_day[0], history.trading_day[-1]
    days = np.arange(first, last).astype("datetime64[D]").tolist()
    return sum(bool(sessions_of(history.exchange, day)) for day in days if day not in seen)
