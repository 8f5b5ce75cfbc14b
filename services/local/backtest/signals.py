"""The signals of a strategy on a history: the very class, in a fast loop, with a time limit."""

import operator
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from inspect import getfile
from itertools import islice
from pathlib import Path

import numpy as np

from libs.events.candles import MINUTES, Candle
from libs.events.event import utc_from_ms
from libs.events.signals import StrategySignal
from libs.market.calendar import IST
from libs.strategy.failures import line_within
from libs.strategy.instance import StrategyInstance
from libs.strategy.strategy import Strategy, WrongSignal, check_signal
from services.local.backtest.candles.days import day_rows
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.candles.longer import longer
from services.local.backtest.errors import BacktestError

LIMIT_SECONDS = 2.0
"""The longest that a strategy may take for one candle."""
_LOOKS = 2


@dataclass(slots=True)
class Signalled:
    """The signals of one instrument, oldest first, and how many were refused at their source."""

    signals: list[StrategySignal] = field(default_factory=list)
    refused: int = 0
    last_refusal: str = ""


@dataclass(slots=True)
class _Feed:
    """A strategy and the candles that it takes; `left` is how many it has not been given yet."""

    strategy: Strategy
    history: CandleHistory
    others: Sequence[CandleHistory]
    made: Signalled = field(default_factory=Signalled)
    at: list[tuple[CandleHistory, int]] = field(default_factory=list)
    left: Iterator[int] = field(default_factory=lambda: iter(range(0)))
    count: int = 0

    @property
    def number(self) -> int:
        """The number of the candle that the strategy has now."""
        return max(0, self.count - operator.length_hint(self.left) - 1)

    def run(self) -> None:
        """Feed all candles; raise what the strategy raises, but WrongSignal."""
        if self.others:
            self._run_merged()
        else:
            self._run_alone()

    def _count_to(self, count: int) -> None:
        self.count, self.left = count, iter(range(count))

    def _run_alone(self) -> None:
        """As StrategyInstance.take, with what it asks of each candle asked once a day."""
        strategy, candles = self.strategy, self.history.candles()
        self._count_to(len(self.history))
        if not _has_sessions(strategy):
            self._collect(zip(self.left, map(strategy.on_candle, candles), strict=False))
            return
        closed = None
        for day, start, stop in day_rows(self.history.trading_day):
            if closed is not None:
                strategy.on_session_close(closed)
            strategy.on_session_open(day)
            taken = map(strategy.on_candle, islice(candles, stop - start))
            self._collect(zip(islice(self.left, stop - start), taken, strict=False))
            closed = day

    def _collect(self, taken: Iterator[tuple[int, object]]) -> None:
        needed = self.strategy.history_needed
        while True:
            try:
                for number, signal in taken:
                    if signal is not None:
                        self._take(signal, number >= needed)
            except WrongSignal as refused:
                self._refuse(refused)
            else:
                return

    def _take(self, signal: object, is_warm: bool) -> None:
        if not isinstance(signal, StrategySignal):
            kind = type(signal).__name__
            raise TypeError(f"on_candle returned a {kind}, not a StrategySignal or None")
        check_signal(signal)
        if is_warm:
            self.made.signals.append(signal)

    def _refuse(self, refused: WrongSignal) -> None:
        self.made.refused += 1
        self.made.last_refusal = f"on {self.where()}: {refused}"

    def _run_merged(self) -> None:
        """Feed candles of several intervals as they close, the shorter first at one close."""
        instance, candles = StrategyInstance(self.strategy), self._merged()
        self._count_to(len(self.at))
        taken = zip(self.left, map(instance.take, candles), strict=False)
        while True:
            try:
                self.made.signals.extend(signal for _, signal in taken if signal is not None)
            except WrongSignal as refused:
                self._refuse(refused)
            else:
                return

    def _merged(self) -> Iterator[Candle]:
        histories = (self.history, *self.others)
        closes = np.concatenate([one.closes_ms for one in histories])
        lengths = np.repeat(
            [MINUTES.get(one.interval, 1440) for one in histories], list(map(len, histories))
        )
        order = np.lexsort((lengths, closes)).tolist()
        rows = [(one, row) for one in histories for row in range(len(one))]
        candles = [candle for one in histories for candle in one.candles()]
        self.at = [rows[place] for place in order]
        return (candles[place] for place in order)

    def where(self) -> str:
        """Return which candle the strategy has now, for an error."""
        if self.at:
            history, row = self.at[self.number]
        else:
            history, row = self.history, self.number
        opened = utc_from_ms(int(history.opened_ms[row])).astimezone(IST)
        return f"{history.key} {history.interval} {opened:%Y-%m-%d %H:%M}"


def _has_sessions(strategy: Strategy) -> bool:
    """Return whether a strategy is told of the opens and closes of sessions."""
    own = type(strategy)
    hooks = (own.on_session_open, own.on_session_close)
    return hooks != (Strategy.on_session_open, Strategy.on_session_close)


def signals_on(
    strategy: Strategy, history: CandleHistory, limit_seconds: float = LIMIT_SECONDS
) -> Signalled:
    """Feed a new strategy an instrument's candles, of its interval or a shorter one.

    It is as if StrategyInstance took them one by one; gaps are used as recorded. What it prints
    goes to standard error. Raises BacktestError, naming candle and line, for an error of the
    strategy, one that takes longer than the limit on a candle, and too little history.
    """
    own = longer(history, strategy.interval)
    if len(own) <= strategy.history_needed:
        has = f"{own.key} has {len(own)} candles of {own.interval}"
        needs = f"{strategy.name} needs {strategy.history_needed} before its first signal"
        raise BacktestError(f"{has}; {needs}")
    others = [longer(history, interval) for interval in strategy.other_intervals]
    feed = _Feed(strategy, own, others)
    with redirect_stdout(sys.stderr):
        failed = _within_limit(feed, limit_seconds)
    if failed is not None:
        line = _line(failed, strategy)
        reason = f"{type(failed).__name__}: {failed}{line}"
        raise BacktestError(f"strategy {strategy.name}: on {feed.where()}: {reason}") from failed
    return feed.made


def _within_limit(feed: _Feed, limit_seconds: float) -> BaseException | None:
    """Run in a thread, and return its error; raise BacktestError once a candle takes too long.

    It takes too long when it has not come further in two looks, each after half of the limit: a
    process that was suspended for a while gets a second look. The thread is left behind.
    """
    failed: list[BaseException] = []
    thread = threading.Thread(target=_caught(feed.run, failed), daemon=True)
    thread.start()
    came_to, idle = -1, 0
    while idle < _LOOKS:
        thread.join(limit_seconds / _LOOKS)
        if not thread.is_alive():
            return failed[0] if failed else None
        idle, came_to = (idle + 1, came_to) if feed.number == came_to else (0, feed.number)
    reason = f"it took longer than {limit_seconds:g} s"
    raise BacktestError(f"strategy {feed.strategy.name}: on {feed.where()}: {reason}")


def _caught(run: Callable[[], None], failed: list[BaseException]) -> Callable[[], None]:
    def caught() -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001  a strategy may raise anything, SystemExit too
            failed.append(error)

    return caught


def _line(error: BaseException, strategy: Strategy) -> str:
    """Return the last line of the strategy's own file that an error came through."""
    file = getfile(type(strategy))
    line = line_within(error, file)
    return f" ({Path(file).name}:{line})" if line else ""
