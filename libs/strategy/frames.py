"""Strategies that get a pandas frame of the last candles."""

from abc import abstractmethod
from collections import deque
from collections.abc import Iterable
from typing import Any, Self

import pandas as pd

from libs.events.candles import Candle
from libs.events.signals import StrategySignal
from libs.market.calendar import IST
from libs.strategy.strategy import Strategy

COLUMNS = ("open", "high", "low", "close", "volume", "oi")
Row = tuple[int, float, float, float, float, int, int]


class FrameStrategy(Strategy):
    """A strategy that gets a frame: `history_needed` candles and the one that just closed.

    The frame always has that length, so that a signal does not depend on how much history was
    loaded. Each candle costs O(history_needed). `last_candle` is the one that just closed.
    """

    last_candle: Candle
    _rows: deque[Row]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Start without candles."""
        made = super().__new__(cls, *args, **kwargs)
        made._rows = deque()
        return made

    @abstractmethod
    def analyze(self, symbol: str, candles: pd.DataFrame) -> StrategySignal | None:
        """Return a signal or None; `symbol` is the tradingsymbol.

        `candles` has the columns open, high, low, close (rupees or index points), volume and oi
        (units), oldest first; its index `date` is when each opened, in India's time.
        """

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        """Add the candle, and call `analyze` when there are enough."""
        self.last_candle = candle
        self._rows.append(_row(candle))
        while len(self._rows) > self.history_needed + 1:
            self._rows.popleft()
        if len(self._rows) <= self.history_needed:
            return None
        return self.analyze(candle.tradingsymbol, _frame(self._rows))


def _row(candle: Candle) -> Row:
    prices = candle.open, candle.high, candle.low, candle.close
    return (candle.opened_ms, *prices, candle.volume, candle.oi)


def _frame(rows: Iterable[Row]) -> pd.DataFrame:
    opened_ms, *columns = zip(*rows, strict=True)
    times = pd.to_datetime(list(opened_ms), unit="ms", utc=True).tz_convert(IST)
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)), index=times.rename("date"))
