"""A trial of a strategy on generated candles: does it run, repeat itself, and how fast is it?"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain
from math import exp

import numpy as np

from libs.events.candles import Candle
from libs.events.signals import StrategySignal
from libs.strategy.harness import make_candles
from libs.strategy.instance import StrategyInstance
from libs.strategy.parameters import WrongParameters, made
from libs.strategy.strategy import Strategy, WrongSignal

CANDLES = 2000
FIRST_DAY = date(2024, 1, 1)
_SEEDS = {"RELIANCE": 7, "SBIN": 11}
_SLOW_MICROSECONDS = 1000.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what, whether it is right, and what was seen."""

    what: str
    is_right: bool
    seen: str


def generated_candles(strategy: Strategy, symbol: str) -> tuple[Candle, ...]:
    """Return candles of the strategy's interval: a random walk with trends, always the same."""
    chance = np.random.default_rng(_SEEDS[symbol])
    steps = chance.normal(0.0, (0.0002, 0.0025, 0.001, 0.001), (CANDLES, 4))
    volumes = chance.integers(1000, 50_000, CANDLES).tolist()
    rows, opened, drift = [], 1000.0, 0.0
    for (turn, noise, above, below), volume in zip(steps.tolist(), volumes, strict=True):
        drift = 0.98 * drift + turn
        closed = opened * exp(drift + noise)
        high = max(opened, closed) * (1 + abs(above))
        low = min(opened, closed) * (1 - abs(below))
        rows.append((opened, high, low, closed, volume))
        opened = closed
    return make_candles(rows, strategy.interval, "NSE", symbol, FIRST_DAY)


def trial(strategy_class: type[Strategy]) -> Iterator[Check]:
    """Yield the checks one by one; what cannot be looked at after an error is left out."""
    try:
        strategy = made(strategy_class, {})
    except WrongParameters as error:
        yield Check("made with its default parameters", is_right=False, seen=str(error))
        return
    yield Check("made with its default parameters", is_right=True, seen=_arguments(strategy))
    series = {symbol: generated_candles(strategy, symbol) for symbol in _SEEDS}
    try:
        began = time.perf_counter()
        first = {symbol: _signals(strategy, candles) for symbol, candles in series.items()}
        microseconds = (time.perf_counter() - began) * 1e6 / (len(series) * CANDLES)
    except _Failed as failed:
        yield Check("takes each candle", is_right=False, seen=str(failed))
        return
    count = CANDLES * len(series)
    yield Check("takes each candle", is_right=True, seen=f"{count} of {strategy.interval}")
    yield _counted(list(chain.from_iterable(first.values())))
    again = {symbol: _signals(strategy, candles) for symbol, candles in series.items()}
    yield _same("gives the same signals again", first == again)
    yield _same("keeps instruments apart", first == _mixed(strategy, series))
    is_quick = microseconds < _SLOW_MICROSECONDS
    yield Check("quick enough", is_quick, f"{microseconds:.1f} µs a candle")


class _Failed(Exception):
    """What the strategy did wrong, and on which candle."""


def _signals(strategy: Strategy, candles: Iterable[Candle]) -> list[StrategySignal]:
    take = StrategyInstance(strategy.anew()).take
    taken = [_taken(take, candle) for candle in candles]
    return [signal for signal in taken if signal is not None]


def _mixed(
    strategy: Strategy, series: dict[str, tuple[Candle, ...]]
) -> dict[str, list[StrategySignal]]:
    """Return the signals when the instruments take turns, as they do live."""
    takes = {symbol: StrategyInstance(strategy.anew()).take for symbol in series}
    signals: dict[str, list[StrategySignal]] = {symbol: [] for symbol in series}
    for candles in zip(*series.values(), strict=True):
        for candle in candles:
            signal = _taken(takes[candle.tradingsymbol], candle)
            if signal is not None:
                signals[candle.tradingsymbol].append(signal)
    return signals


def _taken(
    take: Callable[[Candle], StrategySignal | None], candle: Candle
) -> StrategySignal | None:
    try:
        return take(candle)
    except WrongSignal as error:
        raise _Failed(f"a signal that would be refused, {_at(candle)}: {error}") from error
    except (Exception, SystemExit) as error:
        line = _line_of(error)
        raise _Failed(f"{type(error).__name__}: {error}, {line}{_at(candle)}") from error


def _line_of(error: BaseException) -> str:
    trace, line = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        line, trace = f"{code.co_filename}:{trace.tb_lineno}, ", trace.tb_next
    return line


def _at(candle: Candle) -> str:
    return f"on {candle.key} of {candle.trading_day}"


def _arguments(strategy: Strategy) -> str:
    return ", ".join(f"{name}={value}" for name, value in strategy.parameters.items()) or "none"


def _counted(signals: list[StrategySignal]) -> Check:
    bought = sum(signal.action == "BUY" for signal in signals)
    seen = f"{bought} BUY, {len(signals) - bought} SELL"
    if not signals:
        seen += ": is history_needed too long, or the rule too strict?"
    return Check("signals", is_right=bool(signals), seen=seen)


def _same(what: str, is_same: bool) -> Check:
    seen = "yes" if is_same else "no: does it keep state outside of self, or use chance or a clock?"
    return Check(what, is_same, seen)
