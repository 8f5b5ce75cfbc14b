"""A test harness for strategies: makes candles from numbers, and collects their signals."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, TypeAlias

import pandas as pd

from libs.errors import AlphaStocksError
from libs.events.candles import MINUTES, Candle, Interval
from libs.events.event import ms_from_utc
from libs.events.signals import StrategySignal
from libs.market.calendar import IST, Session, load_calendar
from libs.market.candle_grid import spans_of
from libs.strategy.instance import StrategyInstance
from libs.strategy.strategy import Strategy

Row: TypeAlias = float | Sequence[float]
Rows: TypeAlias = Iterable[Row] | pd.DataFrame
FIRST_DAY = date(2021, 1, 1)
_PRICES = ("open", "high", "low", "close")


class WrongCandles(AlphaStocksError, ValueError):
    """Invalid rows, or candles of another interval or instrument; the text names them."""


@dataclass(frozen=True, slots=True)
class _Numbers:
    open: float
    high: float
    low: float
    close: float
    volume: int


def signals_of(strategy: Strategy, candles: Iterable[Candle]) -> tuple[StrategySignal, ...]:
    """Feed the candles of one instrument, oldest first, as the service does; return the signals.

    `strategy` must be a new object. Its signals are ignored until it has seen `history_needed`
    candles. Raises what the strategy raises, TypeError if it returns anything but a signal or
    None, and WrongCandles for candles of another interval, of several instruments or out of order.
    """
    fed = tuple(candles)
    _check_fed(strategy, fed)
    instance = StrategyInstance(strategy)
    taken = [instance.take(candle) for candle in fed]
    return tuple(signal for signal in taken if signal is not None)


def make_candles(
    rows: Rows,
    interval: Interval = "15m",
    exchange: str = "NSE",
    tradingsymbol: str = "RELIANCE",
    first_day: date = FIRST_DAY,
) -> tuple[Candle, ...]:
    """Return candles from rows of open, high, low, close and, optionally, volume.

    A row is a sequence, or a number for all four prices. A frame may have the open times in a
    column or index `date` (India's time if it has no zone). Without them candles follow each other
    through the exchange's sessions, starting on or after `first_day`. Raises WrongCandles, which
    names the row, and CalendarError for a day that the calendar lacks.
    """
    if isinstance(rows, pd.DataFrame):
        numbers, dates = _of_frame(rows)
    else:
        numbers, dates = [_of_row(number, row) for number, row in enumerate(rows)], None
    spans = _following(interval, exchange, first_day)
    if dates is not None:
        spans = (_dated(number, at, interval, exchange) for number, at in enumerate(dates))
    same = {"interval": interval, "exchange": exchange, "tradingsymbol": tradingsymbol}
    return tuple(
        _candle(one, span, same) for one, span in zip(numbers, spans, strict=dates is not None)
    )


def _check_fed(strategy: Strategy, candles: Sequence[Candle]) -> None:
    for candle in candles:
        if candle.interval != strategy.interval:
            asked = f"{strategy.name} asks for {strategy.interval}"
            raise WrongCandles(f"a candle of {candle.interval}, but {asked}")
        if candle.key != candles[0].key:
            raise WrongCandles(f"candles of {candles[0].key} and of {candle.key}")
    for number, (before, after) in enumerate(pairwise(candles), 1):
        if after.opened_ms <= before.opened_ms:
            raise WrongCandles(f"candle {number} does not open after the one before it")


def _of_frame(frame: pd.DataFrame) -> tuple[list[_Numbers], list[datetime] | None]:
    missing = [name for name in _PRICES if name not in frame.columns]
    if missing:
        raise WrongCandles(f"there is no column {missing[0]}")
    names = [name for name in (*_PRICES, "volume") if name in frame.columns]
    rows = zip(*(frame[name].tolist() for name in names), strict=True)
    return [_of_row(number, row) for number, row in enumerate(rows)], _dates(frame)


def _dates(frame: pd.DataFrame) -> list[datetime] | None:
    if "date" in frame.columns:
        index = pd.DatetimeIndex(pd.to_datetime(frame["date"]))
    elif isinstance(frame.index, pd.DatetimeIndex):
        index = frame.index
    else:
        return None
    aware = index.tz_localize(IST) if index.tz is None else index.tz_convert(IST)
    return [at.to_pydatetime() for at in aware]


def _of_row(number: int, row: Row) -> _Numbers:
    values = list(row) if isinstance(row, Iterable) else [row] * 4
    if len(values) not in (4, 5):
        raise WrongCandles(f"row {number}: {len(values)} numbers, not 4 or 5")
    if not all(math.isfinite(value) for value in values):
        raise WrongCandles(f"row {number}: {values} are not all finite")
    opened, high, low, close, *volume = values
    if not 0 < low <= min(opened, close) <= max(opened, close) <= high:
        raise WrongCandles(f"row {number}: open {opened}, high {high}, low {low}, close {close}")
    if volume and volume[0] < 0:
        raise WrongCandles(f"row {number}: volume {volume[0]}")
    return _Numbers(opened, high, low, close, int(volume[0]) if volume else 0)


Span: TypeAlias = tuple[int, int, date]
"""Open and close of a candle (epoch ms), and its trading day."""


def _following(interval: Interval, exchange: str, day: date) -> Iterator[Span]:
    calendar = load_calendar()
    while True:
        for session in calendar.sessions(exchange, day):
            yield from _spans(interval, session)
        day += timedelta(days=1)


def _spans(interval: Interval, session: Session) -> Iterator[Span]:
    step = _step_ms(interval, session)
    return ((*span, session.day) for span in spans_of(session, step))


def _dated(number: int, at: datetime, interval: Interval, exchange: str) -> Span:
    """Return the span that opens at this time; for days, the one that contains it."""
    at_ms = ms_from_utc(at)
    for session in load_calendar().sessions(exchange, at.date()):
        if interval == "day":
            return session.open_ms, session.close_ms, session.day
        if session.open_ms <= at_ms < session.close_ms:
            step = _step_ms(interval, session)
            if (at_ms - session.open_ms) % step == 0:
                return at_ms, min(at_ms + step, session.close_ms), session.day
    raise WrongCandles(f"row {number}: no {interval} candle of {exchange} opens at {at}")


def _step_ms(interval: Interval, session: Session) -> int:
    if interval == "day":
        return session.close_ms - session.open_ms
    return MINUTES[interval] * 60_000


def _candle(numbers: _Numbers, span: Span, same: dict[str, Any]) -> Candle:
    opened_ms, closes_ms, trading_day = span
    return Candle(
        expiry=None,
        instrument_token=0,
        opened_ms=opened_ms,
        closes_ms=closes_ms,
        open=numbers.open,
        high=numbers.high,
        low=numbers.low,
        close=numbers.close,
        volume=numbers.volume,
        vwap=None,
        ticks=1,
        oi=0,
        cumulative_volume=0,
        revision=0,
        source="live",
        trading_day=trading_day,
        **same,
    )
