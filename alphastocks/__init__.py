"""What the author of a strategy needs.

`Strategy` is handed one candle after the other, `alphastocks.frames.FrameStrategy` a pandas frame;
`alphastocks.indicators` and `alphastocks.testing` hold the rest. docs/strategies.md is the guide.
"""

from libs.events.candles import Candle, Interval
from libs.events.signals import Action, StrategySignal
from libs.strategy.strategy import Strategy, WrongSignal

__all__ = ["Action", "Candle", "Interval", "Strategy", "StrategySignal", "WrongSignal"]
