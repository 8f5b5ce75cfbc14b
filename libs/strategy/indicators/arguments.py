"""Checks of what indicators are made with and fed."""

import math
from typing import SupportsIndex

from libs.events.candles import Candle


def whole(name: str, number: int, least: int = 1) -> int:
    """Return a whole number; raise ValueError, which names it, for another or too small a one."""
    is_whole = isinstance(number, SupportsIndex) and not isinstance(number, bool)
    if not is_whole or int(number) < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {number!r}")
    return int(number)


def above_zero(name: str, number: float) -> float:
    """Return a finite number above 0; raise ValueError, which names it, for anything else."""
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    if not is_number or not 0 < number < math.inf:
        raise ValueError(f"{name} must be a finite number above 0, not {number!r}")
    return float(number)


def refused(value: float) -> ValueError:
    """Return the error of a value that is NaN or infinite."""
    return ValueError(f"value must be a finite number, not {value}")


def refused_candle(candle: Candle) -> ValueError:
    """Return the error of a candle with a price that is NaN or infinite."""
    prices = f"high {candle.high}, low {candle.low}, close {candle.close}"
    return ValueError(f"prices must be finite numbers, not {prices} ({candle.key})")
