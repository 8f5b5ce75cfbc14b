"""The built-in strategies, a file each. A new one is its file and one line here."""

from libs.strategy.strategy import Strategy
from services.strategy.domain.strategies.ema5_alert_candle import Ema5AlertCandle
from services.strategy.domain.strategies.ma_crossover import MaCrossover
from services.strategy.domain.strategies.opening_range_breakout import OpeningRangeBreakout
from services.strategy.domain.strategies.rsi import Rsi
from services.strategy.domain.strategies.supertrend import Supertrend
from services.strategy.domain.strategies.vwap_reversion import VwapReversion

BUILT_IN: tuple[type[Strategy], ...] = (
    MaCrossover,
    Rsi,
    Ema5AlertCandle,
    OpeningRangeBreakout,
    Supertrend,
    VwapReversion,
)
