"""Arrays in which equal values lie side by side, and the order that brings them there."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_APART = 1 << 42
"""More than any volume or time span: keeps groups apart in one running maximum."""
_MOST_SMALL = 1 << 16


def stable_order(values: Array, count: int) -> Array:
    """Return the stable order of whole numbers below `count`."""
    small = values.astype(np.uint16) if count <= _MOST_SMALL else values
    return np.argsort(small, kind="stable")


def group_starts(values: Array) -> Array:
    """Return where each group of equal neighbours begins."""
    is_start = np.empty(len(values), np.bool_)
    is_start[:1] = True
    np.not_equal(values[1:], values[:-1], out=is_start[1:])
    return np.flatnonzero(is_start)


def group_ends(starts: Array, length: int) -> Array:
    """Return the last index of each group."""
    ends = np.empty_like(starts)
    ends[:-1], ends[-1:] = starts[1:], length
    ends -= 1
    return ends


def previous(values: Array, starts: Array, initial: Array) -> Array:
    """Return the value before each in its group, `initial` before the first ones."""
    before = np.empty_like(values)
    before[1:] = values[:-1]
    before[starts] = initial
    return before


def running_before(values: Array, starts: Array, initial: Array) -> Array:
    """Return the running maximum before each value, per group, beginning with `initial`."""
    before = previous(values, starts, initial)
    if (values >= before).all():
        return before
    sizes = group_ends(starts, len(values)) - starts + 1
    apart = np.repeat(np.arange(len(starts)) * _APART, sizes)
    running = np.maximum(values, np.repeat(initial, sizes))
    running += apart
    np.maximum.accumulate(running, out=running)
    running -= apart
    return previous(running, starts, initial)
