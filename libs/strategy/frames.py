"""Strategies that get a pandas frame of the last candles."""

from abc import abstractmethod
from typing import Any, ClassVar, Self

import pandas as pd

from libs.events.candles import Candle
from libs.events.signals import StrategySignal
from libs.strategy.candle_window import CandleWindow
from libs.strategy.parameters import MOST_HISTORY
from libs.strategy.strategy import Strategy

SHORTEST_FRAME = 50
"""Candles that a full frame holds at least."""


class FrameStrategy(Strategy):
    """A strategy that gets a frame of the last candles, `frame_length` at most.

    `analyze` is called once `history_needed` candles have been seen before the one that just
    closed. The frame begins with the first candle seen, and grows until it is full; from then on
    the oldest candle leaves it. So a signal does not depend on how much history was loaded once
    the frame is full, nor before, where a shorter frame gives the same. `last_candle` is the one
    that just closed.
    """

    frame_length: ClassVar[int] = 1000
    last_candle: Candle
    _window: CandleWindow
    _seen: int

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Raise ValueError for a `frame_length` out of bounds."""
        super().__init_subclass__(**kwargs)
        length: object = cls.frame_length
        if not isinstance(length, int) or not SHORTEST_FRAME <= length <= MOST_HISTORY:
            bounds = f"a whole number from {SHORTEST_FRAME} to {MOST_HISTORY}"
            raise ValueError(f"frame_length: {length!r} should be {bounds}")

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Start without candles."""
        made = super().__new__(cls, *args, **kwargs)
        made._window = CandleWindow(cls.frame_length)
        made._seen = 0
        return made

    @abstractmethod
    def analyze(self, symbol: str, candles: pd.DataFrame) -> StrategySignal | None:
        """Return a signal or None; `symbol` is the tradingsymbol.

        `candles` has the columns timestamp (when it opened, in India's time), open, high, low,
        close (rupees or index points), volume (units), vwap (nan where it is not known), trades
        (ticks) and oi (units), oldest first; its index `date` is the timestamp again.
        """

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        """Add the candle, and call `analyze` when there are enough."""
        self.last_candle = candle
        self._window.add(candle)
        self._seen += 1
        if self._seen <= self.history_needed:
            return None
        return self.analyze(candle.tradingsymbol, self._window.frame())
