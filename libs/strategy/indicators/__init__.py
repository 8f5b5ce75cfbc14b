"""Indicators that take one candle at a time, in O(1), and O(1) on average over sliding windows.

Each has `update`, which takes the next candle and returns the new value, and `value`, the last one.
Both are None while it is undefined. Several numbers come as a NamedTuple.

- Those of one number per candle (EMA, SMA, WMA, RSI, MACD, Bollinger) take that number, usually the
  close; the others take the `Candle`. Of it they use what their docstring names, and no vwap:
  stored candles lack it, so a restart would change the value.
- Values are in the unit of what they take (rupees, or points of an index); RSI, Stochastic and ADX
  are 0 to 100.
- Wrong arguments, and a number or price that is NaN or infinite, raise ValueError; what is refused
  changes nothing.
- Averages of EMA's kind begin with the first value (pandas' `ewm(adjust=False)`), Wilder's with the
  mean of the first `period` values, as in TA-Lib. A quotient of zero by zero is 0, as in TA-Lib,
  but RSI and VWAP are None then: 0 would be a value like others.
- Windows run on over the night; VWAP, PreviousDay and OpeningRange go by `trading_day`.
- Sums over a window are never reduced by what leaves it, so rounding errors do not add up.
"""

from libs.strategy.indicators.averages import EMA, SMA, WMA
from libs.strategy.indicators.channels import Bands, Bollinger, BollingerBands, Donchian, Keltner
from libs.strategy.indicators.momentum import MACD, RSI, MACDValue, Stochastic, StochasticValue
from libs.strategy.indicators.sessions import (
    VWAP,
    DayLevels,
    OpeningRange,
    PreviousDay,
    PriceRange,
)
from libs.strategy.indicators.swings import Swing, SwingHigh, SwingLow
from libs.strategy.indicators.trend import ADX, ADXValue, SuperTrend, SuperTrendValue
from libs.strategy.indicators.volatility import ATR

__all__ = [
    "ADX",
    "ATR",
    "EMA",
    "MACD",
    "RSI",
    "SMA",
    "VWAP",
    "WMA",
    "ADXValue",
    "Bands",
    "Bollinger",
    "BollingerBands",
    "DayLevels",
    "Donchian",
    "Keltner",
    "MACDValue",
    "OpeningRange",
    "PreviousDay",
    "PriceRange",
    "Stochastic",
    "StochasticValue",
    "SuperTrend",
    "SuperTrendValue",
    "Swing",
    "SwingHigh",
    "SwingLow",
]
