"""Strategies that get a pandas frame of the last candles."""

from libs.strategy.frames import FrameStrategy

__all__ = ["FrameStrategy"]
