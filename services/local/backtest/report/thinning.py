"""Fewer points for a line, so that its highs and lows stay where they are."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from services.local.backtest.candles.history import Floats, Integers


def thinned(values: Floats, most: int) -> Integers:
    """Return the indexes of at most `most` values (4 or more), in order.

    The first, the last, and the lowest and highest of each of equally long stretches are kept.
    """
    count = len(values)
    if count <= most:
        return np.arange(count)
    edges = np.linspace(0, count, (most - 2) // 2 + 1).astype(np.int64)
    spans: Sequence[tuple[int, int]] = list(pairwise(edges.tolist()))
    lowest = [start + int(values[start:stop].argmin()) for start, stop in spans]
    highest = [start + int(values[start:stop].argmax()) for start, stop in spans]
    return np.unique([0, *lowest, *highest, count - 1])
