"""The public interface for authors of strategies.

A `Strategy` gets one candle after the other, an `alphastocks.frames.FrameStrategy` a pandas frame.
Indicators are in `alphastocks.indicators`, the test harness in `alphastocks.testing`. The guide is
docs/strategies.md.
"""

from libs.events.candles import Candle, Interval
from libs.events.signals import Action, StrategySignal
from libs.strategy.strategy import Strategy, WrongSignal

__all__ = ["Action", "Candle", "Interval", "Strategy", "StrategySignal", "WrongSignal"]
