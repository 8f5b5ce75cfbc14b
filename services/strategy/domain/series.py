"""What a strategy has on one instrument, and the live candles that wait there."""

import pickle
import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from libs.events.candles import Candle, Interval
from libs.strategy.instance import StrategyInstance


class Cold(NamedTuple):
    """An instrument on which a strategy is silent: candles missing, and since when (epoch ms)."""

    instrument: str
    missing: int
    since_ms: int | None
    reason: str


class Held(NamedTuple):
    """A live candle that may have to wait for those before it that the feed missed.

    With `is_partial` ticks are missing from it: it stands for the broker's, or gives no signal.
    So many candles as `quiet` are not there before it since nothing was traded.
    """

    candle: Candle
    is_partial: bool
    waits: bool
    quiet: int = 0


@dataclass(slots=True)
class Series:
    """What a strategy has on one instrument; `history` is packed, since it is rarely needed.

    `held` are live candles that wait for those which the feed missed.
    """

    instance: StrategyInstance
    history: bytes = b""
    last: dict[Interval, Candle] = field(default_factory=dict)
    reason: str = "history"
    held: deque[Held] = field(default_factory=deque)


def cold_of(key: str, series: Series) -> Cold:
    """Return why a strategy is silent on an instrument."""
    if series.held:
        waits = "candles that the feed missed are awaited from the broker"
        return Cold(key, series.instance.missing, series.held[0].candle.opened_ms, waits)
    first = series.instance.first
    since_ms = first.opened_ms if first else None
    return Cold(key, series.instance.missing, since_ms, series.reason)


def held_ms(series: Series) -> int:
    """Return how long the last candle that is not whole has been awaited, by those behind it."""
    partial = [one.candle.closes_ms for one in series.held if one.is_partial]
    since_ms = max(partial, default=series.held[0].candle.closes_ms)
    return series.held[-1].candle.closes_ms - since_ms


def packed(history: list[Candle]) -> bytes:
    """Return candles as bytes, for `unpacked`."""
    return zlib.compress(pickle.dumps(history), 1)


def unpacked(history: bytes) -> list[Candle]:
    """Return the candles of packed bytes."""
    return pickle.loads(zlib.decompress(history)) if history else []  # noqa: S301  our own bytes
