"""The fast loop gives what StrategyInstance gives candle by candle; errors name their candle."""

import threading
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.candles import MINUTES, Candle, Interval
from libs.events.signals import StrategySignal
from libs.strategy.instance import StrategyInstance
from libs.strategy.strategy import Strategy, WrongSignal
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.candles.longer import longer
from services.local.backtest.errors import BacktestError
from services.local.backtest.signals import signals_on
from services.strategy.domain.strategies.ma_crossover import MaCrossover
from tests.unit.services.local.backtest.made import random_history


class Nosy(Strategy):
    """Signals on all it sees: candles, days and other intervals; now and then wrongly."""

    name = "nosy"

    def __init__(
        self, wrong_every: int = 7, history_needed: int = 5, others: tuple[Interval, ...] = ()
    ) -> None:
        self.wrong_every, self.history_needed, self.other_intervals = (
            wrong_every,
            history_needed,
            others,
        )
        self.seen: list[tuple[Any, ...]] = []

    def on_session_open(self, trading_day: date) -> None:
        self.seen.append(("open", trading_day))

    def on_session_close(self, trading_day: date) -> None:
        self.seen.append(("close", trading_day))

    def on_other_candle(self, candle: Candle) -> None:
        self.seen.append((candle.interval, candle))

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        self.seen.append(("own", candle))
        if len(self.seen) % 3:
            return None
        wrong = len(self.seen) % self.wrong_every == 0
        stop = candle.close + 1 if wrong else candle.close - 1
        return self.buy(candle, stop_loss=stop, target=candle.close + 2, confidence=0.5)


def one_by_one(strategy: Strategy, history: CandleHistory) -> tuple[list[StrategySignal], int]:
    """Feed candles as they close, the shorter first, and count the refused signals."""
    intervals = (strategy.interval, *strategy.other_intervals)
    candles = [candle for interval in intervals for candle in longer(history, interval).candles()]
    candles.sort(key=lambda one: (one.closes_ms, MINUTES[one.interval]))
    instance, signals, refused = StrategyInstance(strategy), [], 0
    for candle in candles:
        try:
            signal = instance.take(candle)
        except WrongSignal:
            refused += 1
        else:
            signals += [] if signal is None else [signal]
    return signals, refused


@given(
    seed=st.integers(0, 10_000),
    wrong_every=st.integers(1, 9),
    needed=st.integers(0, 40),
    others=st.sampled_from([(), ("60m",), ("60m", "30m")]),
)
def test_the_loop_equals_the_instance_candle_by_candle(
    seed: int, wrong_every: int, needed: int, others: tuple[Interval, ...]
) -> None:
    history = random_history(seed, 120)
    fast, slow = Nosy(wrong_every, needed, others), Nosy(wrong_every, needed, others)
    made = signals_on(fast, history)
    assert (made.signals, made.refused) == one_by_one(slow, history)
    assert fast.seen == slow.seen


@given(seed=st.integers(0, 10_000), interval=st.sampled_from(["5m", "15m", "60m"]))
def test_a_strategy_of_a_longer_interval_takes_folded_candles(
    seed: int, interval: Interval
) -> None:
    history = random_history(seed, 900, "5m")
    parameters: dict[str, Any] = {"interval": interval, "fast": 2, "slow": 3, "history_needed": 4}
    made = signals_on(MaCrossover(**parameters), history)
    assert (made.signals, made.refused) == one_by_one(MaCrossover(**parameters), history)
    assert {one.interval for one in made.signals} == {interval}


class Broken(Strategy):
    """Fails on its third candle, in the way that it is told."""

    name = "broken"
    history_needed = 0

    def __init__(self, how: str = "raise") -> None:
        self.how, self.count = how, 0

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        self.count += 1
        if self.count < 3:
            return None
        if self.how == "block":
            threading.Event().wait(5)
        if self.how == "exit":
            raise SystemExit(3)
        if self.how == "dict":
            return {"action": "BUY"}  # type: ignore[return-value]
        print("about to fail")  # noqa: T201
        return 1 / 0  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("raise", r"ZeroDivisionError: division by zero \(test_signals.py:\d+\)"),
        ("exit", r"SystemExit: 3 \(test_signals.py:\d+\)"),
        ("dict", "TypeError: on_candle returned a dict, not a StrategySignal or None"),
    ],
)
def test_an_error_names_the_candle_and_the_line(how: str, reason: str) -> None:
    history = random_history(1, 20)
    third = "NSE:RELIANCE 15m 2024-09-25 09:45"
    with pytest.raises(BacktestError, match=f"^strategy broken: on {third}: {reason}$"):
        signals_on(Broken(how), history)


def test_a_strategy_that_blocks_fails_the_run_and_the_candle_is_named() -> None:
    history = random_history(1, 20)
    with pytest.raises(BacktestError, match=r"on NSE:RELIANCE 15m .* it took longer than 0.02 s"):
        signals_on(Broken("block"), history, limit_seconds=0.02)


def test_what_a_strategy_prints_goes_to_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(BacktestError):
        signals_on(Broken("raise"), random_history(1, 20))
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "about to fail\n")


def test_too_little_history_is_refused_with_the_numbers() -> None:
    with pytest.raises(BacktestError, match="has 19 candles of 15m; ma_crossover needs 50 before"):
        signals_on(MaCrossover(), random_history(1, 20))
    with pytest.raises(BacktestError, match="candles of 60m cannot be made of candles of day"):
        signals_on(MaCrossover("60m"), random_history(1, 100, "day"))
