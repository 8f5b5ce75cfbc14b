"""Candles to feed indicators with, and how their values are compared."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from numpy.typing import NDArray

from libs.events.candles import Candle
from libs.strategy.harness import make_candles

Floats = NDArray[np.float64]
prices = st.lists(st.floats(1, 100_000), min_size=1, max_size=200)


class OfNumbers(Protocol):
    def update(self, value: float) -> object: ...


class OfCandles(Protocol):
    def update(self, candle: Candle) -> object: ...


@st.composite
def walks(draw: st.DrawFn, longest: int = 250) -> pd.DataFrame:
    """Draw open, high, low, close and volume of a random walk in paise, given in rupees.

    It may begin near 1 or near 50,000 rupees, stand still, make tiny steps or jumps; some candles
    have no volume.
    """
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, longest))
    start = draw(st.sampled_from([100, 25_000, 5_000_000]))
    step = draw(st.sampled_from([0, 1, 20, 2_000]))
    moves = draw(st.sampled_from([0.1, 0.5, 1.0]))
    steps = random.integers(-step, step + 1, count) * (random.random(count) < moves)
    closes = np.maximum(start + np.cumsum(steps), 5)
    opens = np.maximum(np.append(start, closes[:-1]) + random.integers(-step, step + 1, count), 5)
    highs = np.maximum(opens, closes) + random.integers(0, step + 1, count)
    lows = np.maximum(np.minimum(opens, closes) - random.integers(0, step + 1, count), 1)
    volumes = random.integers(0, 1_000_000, count) * (random.random(count) < 0.8)
    columns = {"open": opens, "high": highs, "low": lows, "close": closes}
    return pd.DataFrame({name: paise / 100 for name, paise in columns.items()}).assign(
        volume=volumes
    )


def of_closes(indicator: OfNumbers, frame: pd.DataFrame) -> list[object]:
    """Return what an indicator of numbers says after each close."""
    return [indicator.update(close) for close in frame["close"].tolist()]


def of_candles(indicator: OfCandles, candles: Iterable[Candle] | pd.DataFrame) -> list[object]:
    """Return what an indicator of candles says after each."""
    taken = make_candles(candles) if isinstance(candles, pd.DataFrame) else candles
    return [indicator.update(candle) for candle in taken]


def columns(frame: pd.DataFrame, *names: str) -> list[Floats]:
    """Return columns of a frame, by default high, low and close, as arrays."""
    return [frame[name].to_numpy(float) for name in names or ("high", "low", "close")]


def prices_of(frame: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """Return high, low and close of a frame."""
    high, low, close = columns(frame)
    return high, low, close


def assert_equals(
    ours: Sequence[object], theirs: Sequence[Iterable[float]], atol: float = 0.0
) -> None:
    """Compare values, single or tuples, with columns; None stands where all columns have nan."""
    rows = np.column_stack([np.asarray(column, float) for column in theirs])
    undefined = np.isnan(rows).any(axis=1)
    assert [value is None for value in ours] == undefined.tolist()
    defined = [value for value in ours if value is not None]
    mine = np.array(defined, float).reshape(len(defined), rows.shape[1])
    np.testing.assert_allclose(mine, rows[~undefined], rtol=1e-9, atol=atol)
