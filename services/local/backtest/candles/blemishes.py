"""What is unusual about recorded candles: it is used as recorded, and counted in one warning."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache

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
    highest, lowest = (
        np.maximum(history.open, history.close),
        np.minimum(history.open, history.close),
    )
    found["outside_range"] = int(((lowest < history.low) | (highest > history.high)).sum())
    days = list(day_rows(history.trading_day))
    kinds = [_kind(history.exchange, rows.day) for rows in days]
    plain = np.array([kind is _PLAIN for _, _, kind in kinds], np.bool_)
    found.update(_of_plain_days(history, days, kinds, plain))
    for rows, is_plain in zip(days, plain.tolist(), strict=True):
        if not is_plain:
            found.update(_of_day(history, rows))
    found["missing_day"] = _missing_days(history, {rows.day for rows in days})
    return found


def warnings_of(histories: Sequence[CandleHistory]) -> tuple[str, ...]:
    """Return one warning of all that is unusual, none where nothing is."""
    found = sum((blemishes(one) for one in histories), Counter())
    said = [f"{grouped(found[kind])} × {text}" for kind, text in _SAID.items() if found[kind]]
    return (f"candles used as recorded: {'; '.join(said)}",) if said else ()


_PLAIN, _OTHER = "plain", "other"


@lru_cache(maxsize=10_000)
def _kind(exchange: str, day: date) -> tuple[int, int, str]:
    """Return open and close of a day (epoch ms), and whether it is a plain one, of one session."""
    sessions = sessions_of(exchange, day)
    if not sessions or len(sessions) > 1 or _is_special(exchange, day, sessions):
        return 0, 0, _OTHER
    return sessions[0].open_ms, sessions[0].close_ms, _PLAIN


def _of_plain_days(
    history: CandleHistory,
    days: Sequence[DayRows],
    kinds: Sequence[tuple[int, int, str]],
    plain: "np.ndarray",
) -> Counter[str]:
    """Count as `_of_day` does, for all days of one usual session at once."""
    if history.interval == "day" or not plain.any():
        return Counter()
    length = MINUTES[history.interval] * _MINUTE_MS
    starts, counts = (np.array([r.start for r in days]), np.array([r.stop - r.start for r in days]))
    opens, closes, _ = (np.array(column) for column in zip(*kinds, strict=True))
    open_ms, close_ms = np.repeat(opens, counts), np.repeat(closes, counts)
    opened, is_plain = history.opened_ms, np.repeat(plain, counts)
    is_within = (opened >= open_ms) & (opened < close_ms)
    is_off = is_plain & is_within & ((opened - open_ms) % length != 0)
    inside = np.add.reduceat(is_within.astype(np.int64), starts)
    missing = np.where(plain, -(-(closes - opens) // length) - inside, 0)
    before = np.cumsum(is_within) - np.repeat(np.cumsum(inside) - inside, counts)
    first = int((is_off & (before == 1)).sum())
    return Counter(
        outside_session=int((is_plain & ~is_within).sum()),
        shifted=first,
        off_grid=int(is_off.sum()) - first,
        short_day=int((missing > 0).sum()),
        missing=int(missing[missing > 0].sum()),
    )


def _of_day(history: CandleHistory, rows: DayRows) -> Iterator[str]:
    """Yield the kinds of a day's blemishes; nothing for a day outside the calendar."""
    sessions = sessions_of(history.exchange, rows.day)
    if sessions is None:
        return
    if not sessions:
        yield "closed_day"
        return
    if _is_special(history.exchange, rows.day, sessions):
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


def _is_special(exchange: str, day: date, sessions: Sequence[Session]) -> bool:
    """Return whether it is a weekend, or has other hours than the days around it usually have."""
    usual = load_calendar().widest_hours(exchange)
    length = sum(one.close_ms - one.open_ms for one in sessions)
    hours = (usual[1].hour - usual[0].hour) * 60 + usual[1].minute - usual[0].minute
    return day.weekday() >= 5 or length < hours * _MINUTE_MS // 2


def _missing_days(history: CandleHistory, seen: set[date]) -> int:
    if not len(history):
        return 0
    first, last = history.trading_day[0], history.trading_day[-1]
    days = np.arange(first, last).astype("datetime64[D]").tolist()
    return sum(bool(sessions_of(history.exchange, day)) for day in days if day not in seen)
