"""Indicators that begin anew with each trading day."""

from datetime import date
from math import inf
from typing import NamedTuple

from libs.events.candles import Candle
from libs.market.calendar import CalendarError, load_calendar
from libs.strategy.indicators.arguments import refused_candle, whole

_MINUTE_MS = 60_000


class VWAP:
    """Volume-weighted average price of the trading day so far.

    The sum of (high + low + close) / 3 · volume by the sum of volume; in pandas, over the candles
    of one day, `(typical * volume).cumsum() / volume.cumsum()`. None while the day has no volume,
    so always on an index.
    """

    __slots__ = ("_day", "_thrice", "_volume", "value")

    def __init__(self) -> None:
        self._day: date | None = None
        self._thrice = 0.0  # three times the turnover
        self._volume = 0
        self.value: float | None = None

    def update(self, candle: Candle) -> float | None:
        """Take the next candle and return the day's average, None while it is undefined."""
        prices = candle.high + candle.low + candle.close
        if prices - prices != 0.0:
            raise refused_candle(candle)
        day, volume = candle.trading_day, candle.volume
        if day != self._day:
            self._day = day
            self._thrice, self._volume = 0.0, 0
            self.value = None
        if volume > 0:
            self._thrice += prices * volume
            self._volume += volume
            self.value = self._thrice / (3.0 * self._volume)
        return self.value


class DayLevels(NamedTuple):
    """Highest high, lowest low and last close of a day."""

    high: float
    low: float
    close: float


class PreviousDay:
    """High, low and close of the trading day before that of the candle.

    They are those of the candles taken: where the first day was not taken whole, its levels are not
    whole either. None on the first day.
    """

    __slots__ = ("_close", "_day", "_high", "_low", "value")

    def __init__(self) -> None:
        self._day: date | None = None
        self._high = self._low = self._close = 0.0
        self.value: DayLevels | None = None

    def update(self, candle: Candle) -> DayLevels | None:
        """Take the next candle and return the levels of the day before, None on the first day."""
        high, low, close = candle.high, candle.low, candle.close
        prices = high + low + close
        if prices - prices != 0.0:
            raise refused_candle(candle)
        day = candle.trading_day
        if day != self._day:
            if self._day is not None:
                self.value = DayLevels(self._high, self._low, self._close)
            self._day, self._high, self._low = day, high, low
        self._high = max(self._high, high)
        self._low = min(self._low, low)
        self._close = close
        return self.value


class PriceRange(NamedTuple):
    """Highest high and lowest low."""

    high: float
    low: float


class OpeningRange:
    """Highest high and lowest low of the candles that open in the day's first `minutes`.

    The day begins when the exchange opens by the calendar; on a day that the calendar lacks, or
    says is closed, with its first candle. Defined from the candle that closes at the end of the
    range or, failing that, the first one after it; None before, and on a day without a candle in
    the range. Raises ValueError for minutes below 1.
    """

    __slots__ = ("_day", "_ends_ms", "_high", "_low", "_minutes", "value")

    def __init__(self, minutes: int = 15) -> None:
        self._minutes = whole("minutes", minutes)
        self._day: date | None = None
        self._ends_ms = 0
        self._high, self._low = -inf, inf
        self.value: PriceRange | None = None

    def update(self, candle: Candle) -> PriceRange | None:
        """Take the next candle and return the day's range, None while it is undefined."""
        high, low = candle.high, candle.low
        if (high + low) - (high + low) != 0.0:
            raise refused_candle(candle)
        if candle.trading_day != self._day:
            self._begin_day(candle)
        if self.value is None:
            self._take(high, low, candle.opened_ms, candle.closes_ms)
        return self.value

    def _begin_day(self, candle: Candle) -> None:
        self._day = candle.trading_day
        self._ends_ms = _opens_ms(candle) + self._minutes * _MINUTE_MS
        self._high, self._low = -inf, inf
        self.value = None

    def _take(self, high: float, low: float, opened_ms: int, closes_ms: int) -> None:
        if opened_ms < self._ends_ms:
            self._high, self._low = max(self._high, high), min(self._low, low)
        if closes_ms >= self._ends_ms and self._high > -inf:
            self.value = PriceRange(self._high, self._low)


def _opens_ms(candle: Candle) -> int:
    """Return when the candle's day begins, epoch ms."""
    try:
        sessions = load_calendar().sessions(candle.exchange, candle.trading_day)
    except CalendarError:
        sessions = ()
    return sessions[0].open_ms if sessions else candle.opened_ms
