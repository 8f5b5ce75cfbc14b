"""What holds for each built-in strategy on any candles."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.candles import Candle, CandleBatch, CandleColumns
from libs.events.signals import StrategySignal
from libs.strategy.harness import make_candles
from libs.strategy.strategy import Strategy
from services.strategy.domain.host import StrategyHost
from services.strategy.domain.strategies import BUILT_IN
from tests.proofs import examples
from tests.unit.services.strategy.strategies.recorded import fed, frame_of, read_recorded

STEPS = st.lists(
    st.tuples(st.integers(-40, 40), st.integers(0, 30), st.integers(0, 30)),
    min_size=60,
    max_size=160,
)


def walk(steps: list[tuple[int, int, int]]) -> list[Candle]:
    """Candles of 60 and 15 minutes whose closes and ends go by steps of a tenth of a rupee."""
    rows, close = [], 1000.0
    for change, up, down in steps:
        opened, close = close, close + change / 10
        high, low = max(opened, close) + up / 10, min(opened, close) - down / 10
        rows.append((opened, high, low, close, 100 + up))
    hours = make_candles(rows[::4], "60m")
    return sorted([*hours, *make_candles(rows)], key=lambda one: (one.closes_ms, one.interval))


@pytest.mark.parametrize("strategy", BUILT_IN, ids=lambda one: one.name)
@examples(5)
@given(STEPS, st.integers(0, 80))
def test_signals_begin_after_the_history_needed_and_do_not_depend_on_it(
    strategy: type[Strategy], steps: list[tuple[int, int, int]], history: int
) -> None:
    candles = walk(steps)
    one = strategy(history_needed=history)  # type: ignore[call-arg]
    taken = [
        candle for candle in candles if candle.interval in (one.interval, *one.other_intervals)
    ]
    own = [candle.opened_ms for candle in taken if candle.interval == one.interval]
    every = frame_of(fed(strategy(history_needed=0), taken))  # type: ignore[call-arg]
    begins = own[history] if history < len(own) else own[-1] + 1
    wanted = every[every["opened_ms"] >= begins].reset_index(drop=True)
    assert frame_of(fed(one, taken)).to_dict() == wanted.to_dict()


@pytest.mark.parametrize("strategy", BUILT_IN, ids=lambda one: one.name)
@examples(5)
@given(STEPS)
def test_the_same_candles_give_the_same_signals_again(
    strategy: type[Strategy], steps: list[tuple[int, int, int]]
) -> None:
    candles, one = walk(steps), strategy()
    taken = [
        candle for candle in candles if candle.interval in (one.interval, *one.other_intervals)
    ]
    repeated = [candle for candle in taken for _ in range(2)]
    assert fed(one.anew(), taken) == fed(one, taken) == fed(one.anew(), repeated)


def batch(candle: Candle) -> CandleBatch:
    columns = CandleColumns.of([candle])
    return CandleBatch.live(0, candle.interval, candle.closes_ms, candle.trading_day, columns)


def test_the_service_gives_the_signals_of_each_strategy_alone(
    recorded: Callable[[str], Path],
) -> None:
    candles = read_recorded(recorded("nse_15min"), "RELIANCE").both[:2500]
    host = StrategyHost(BUILT_IN, gaps=lambda _last, _candle: 0)
    made = [event for candle in candles for event in host.on_event(batch(candle))]
    signals = [event for event in made if isinstance(event, StrategySignal)]
    assert len(signals) == len(made)
    for strategy in BUILT_IN:
        one = strategy()
        taken = [c for c in candles if c.interval in (one.interval, *one.other_intervals)]
        alone = fed(one, taken)
        assert alone == [signal for signal in signals if signal.strategy == one.name]
        assert len(alone) > 5
