"""The built-in strategies, a file each. A new one is its file and one line here."""

from libs.strategy.strategy import Strategy
from services.strategy.domain.strategies.ma_crossover import MaCrossover

BUILT_IN: tuple[type[Strategy], ...] = (MaCrossover,)
