"""Looks for bias: signals that know the future, and signals that depend on where history begins."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from libs.events.signals import StrategySignal
from services.local.backtest.candles.history import CandleHistory

Signals: TypeAlias = Callable[[CandleHistory], Sequence[StrategySignal]]
"""Returns the signals of one strategy with its parameters on one history, by candle."""
Kind = Literal["look-ahead", "warm-up", "drift"]
CUTS = 24
"""How many times a history is cut off, and how many times it begins later."""
DRIFT = 1e-6
"""An indicator has drifted when it differs by more than this fraction of its value."""
_SEED = 7
_Place: TypeAlias = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Bias:
    """One bias: its kind, the first candle that shows it (open, epoch ms), and what changed."""

    kind: Kind
    instrument: str
    opened_ms: int
    what: str


def look_ahead(history: CandleHistory, signals: Signals) -> Bias | None:
    """Return the first signal that changes when the candles after it are taken away, or changed.

    The history is cut off after signals and at other places; then its later prices are replaced.
    """
    whole = _placed(signals(history))
    for stop in _cuts(history, whole):
        for changed in (_part(history, 0, stop), _other_future(history, stop)):
            until = int(history.closes_ms[stop - 1])
            found = _first_difference(
                {place: one for place, one in whole.items() if _closed_ms(one) <= until},
                {
                    place: one
                    for place, one in _placed(signals(changed)).items()
                    if _closed_ms(one) <= until
                },
            )
            if found:
                return Bias("look-ahead", history.key, found[0], f"{found[1]} without what follows")
    return None


def warm_up(history: CandleHistory, signals: Signals, history_needed: int) -> Iterator[Bias]:
    """Yield the first signal, and the first of each indicator, that depends on the beginning.

    The history begins later; after `history_needed` candles all should be as in the whole one.
    """
    whole = _placed(signals(history))
    signal: Bias | None = None
    drifts: dict[str, tuple[float, Bias]] = {}
    for start in _starts(history, history_needed):
        first_ms = int(history.opened_ms[start + history_needed])
        late = _after(_placed(signals(_part(history, start, len(history)))), first_ms)
        expected = _after(whole, first_ms)
        found = _first_difference(expected, late)
        if found and (signal is None or found[0] < signal.opened_ms):
            what = f"{found[1]} when history begins {history_needed} candles before"
            signal = Bias("warm-up", history.key, found[0], what)
        for name, at_ms, by in _drifts(expected, late):
            if by > drifts.get(name, (DRIFT, None))[0]:
                what = f"indicator {name} differs by {by:.2g} of its value"
                drifts[name] = by, Bias("drift", history.key, at_ms, what)
    if signal is not None:
        yield signal
    yield from (bias for _, bias in drifts.values())


def _placed(found: Sequence[StrategySignal]) -> dict[_Place, StrategySignal]:
    return {(_opened_ms(one), one.action): one for one in found}


def _opened_ms(signal: StrategySignal) -> int:
    return round(signal.candle_opened_at.timestamp() * 1000)


def _closed_ms(signal: StrategySignal) -> int:
    return round(signal.candle_closed_at.timestamp() * 1000)


def _after(found: dict[_Place, StrategySignal], first_ms: int) -> dict[_Place, StrategySignal]:
    return {place: one for place, one in found.items() if place[0] >= first_ms}


def _first_difference(
    one: dict[_Place, StrategySignal], two: dict[_Place, StrategySignal]
) -> tuple[int, str] | None:
    """Return the first candle at which signals differ, and how; indicators are left out."""
    for place in sorted(one.keys() | two.keys()):
        first, second = one.get(place), two.get(place)
        action = place[1]
        if first is None:
            return place[0], f"a {action} that is not there with all candles appears"
        if second is None:
            return place[0], f"the {action} at {first.price:g} disappears"
        if _levels(first) != _levels(second):
            return place[0], f"the {action} changes from {_levels(first)} to {_levels(second)}"
    return None


def _levels(signal: StrategySignal) -> tuple[float, ...]:
    """Return price, stop loss and target to the paisa: rounding of an average is no change."""
    return tuple(round(one, 2) for one in (signal.price, signal.stop_loss, signal.target))


def _drifts(
    one: dict[_Place, StrategySignal], two: dict[_Place, StrategySignal]
) -> Iterator[tuple[str, int, float]]:
    """Yield each indicator of the signals that both have, its candle, and its relative change."""
    for place in sorted(one.keys() & two.keys()):
        for name, value in one[place].indicators.items():
            other = two[place].indicators.get(name, value)
            yield name, place[0], abs(other - value) / max(abs(value), 1e-12)


def _cuts(history: CandleHistory, whole: dict[_Place, StrategySignal]) -> list[int]:
    """Return how many candles to leave: up to some signals, and up to other places."""
    chance = np.random.default_rng(_SEED)
    closes = sorted(_closed_ms(one) for one in whole.values())
    after_signals = np.searchsorted(
        history.closes_ms, closes[:: max(1, len(closes) // CUTS)], "right"
    )
    others = chance.integers(1, len(history) + 1, CUTS)
    return sorted({int(one) for one in (*after_signals[:CUTS], *others) if one >= 1})


def _starts(history: CandleHistory, history_needed: int) -> list[int]:
    """Return where history begins later; something has to follow after its warm-up."""
    last = len(history) - history_needed - 1
    if last < 1:
        return []
    chance = np.random.default_rng(_SEED)
    return sorted({int(one) for one in chance.integers(1, last + 1, CUTS)})


def _part(history: CandleHistory, start: int, stop: int) -> CandleHistory:
    return replace(history, **{name: column[start:stop] for name, column in _columns(history)})


def _other_future(history: CandleHistory, stop: int) -> CandleHistory:
    """Return the history with its prices after `stop` candles turned upside down."""
    if stop == len(history):
        return history
    pivot = float(history.close[stop - 1])
    turned: dict[str, Any] = {}
    for name, source in (("open", "open"), ("high", "low"), ("low", "high"), ("close", "close")):
        column = getattr(history, name).copy()
        column[stop:] = pivot * pivot / getattr(history, source)[stop:]
        turned[name] = column
    vwap = history.vwap.copy()
    vwap[stop:] = pivot * pivot / vwap[stop:]
    return replace(history, **turned, vwap=vwap)


def _columns(history: CandleHistory) -> Iterator[tuple[str, Any]]:
    values = ((field.name, getattr(history, field.name)) for field in fields(history))
    return ((name, value) for name, value in values if isinstance(value, np.ndarray))
