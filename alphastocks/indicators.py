"""Indicators that take one value at a time, in O(1)."""

from libs.strategy.indicators import EMA, RSI

__all__ = ["EMA", "RSI"]
