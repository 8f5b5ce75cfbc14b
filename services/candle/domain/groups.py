"""Groups of equal neighbours in sorted arrays: order, limits, and running maxima within them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_OFFSET = 1 << 42
"""Above any volume or time span: added per group, so that one running maximum serves all."""
_UINT16_VALUES = 1 << 16


class Groups(NamedTuple):
    """Groups of equal neighbours: the first and the last index of each, and their values."""

    starts: Array
    ends: Array
    values: Array

    def spread(self, values: Array) -> Array:
        """Return a value of each group for each of its members."""
        return np.repeat(values, self.ends - self.starts + 1)


def grouped(values: Array) -> Groups:
    """Return the groups of equal neighbours."""
    starts = group_starts(values)
    return Groups(starts, group_ends(starts, len(values)), values[starts])


def stable_order(values: Array, count: int) -> Array:
    """Return the stable order of whole numbers below `count`."""
    small = values.astype(np.uint16) if count <= _UINT16_VALUES else values
    return np.argsort(small, kind="stable")


def group_starts(values: Array) -> Array:
    """Return the first index of each group of equal neighbours."""
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
    """Return the value before each one in its group; before the first ones `initial`."""
    before = np.empty_like(values)
    before[1:] = values[:-1]
    before[starts] = initial
    return before


def running_before(values: Array, starts: Array, initial: Array) -> Array:
    """Return, per group, the running maximum before each value, starting with `initial`."""
    before = previous(values, starts, initial)
    if (values >= before).all():
        return before
    sizes = group_ends(starts, len(values)) - starts + 1
    offsets = np.repeat(np.arange(len(starts)) * _OFFSET, sizes)
    running = np.maximum(values, np.repeat(initial, sizes))
    running += offsets
    np.maximum.accumulate(running, out=running)
    running -= offsets
    return previous(running, starts, initial)
