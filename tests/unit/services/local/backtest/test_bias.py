"""A signal that knows the future is found, and one that depends on where history begins."""

from collections.abc import Callable

from libs.events.candles import Candle
from libs.events.signals import StrategySignal
from libs.strategy.harness import signals_of
from libs.strategy.strategy import Strategy
from services.local.backtest.bias import Bias, look_ahead, warm_up
from services.local.backtest.candles.history import CandleHistory
from services.strategy.domain.strategies.ma_crossover import MaCrossover
from tests.unit.services.local.backtest.histories import random_walk

HISTORY = random_walk(600)


def honest(make: Callable[[], Strategy]) -> Callable[[CandleHistory], tuple[StrategySignal, ...]]:
    return lambda history: signals_of(make(), history.candles())


class Peeks(Strategy):
    """Buys when a later close is higher: it was given the closes beforehand."""

    name = "peeks"
    history_needed = 5

    def __init__(self, closes: tuple[float, ...] = ()) -> None:
        self.closes, self.at = closes, -1

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        self.at += 1
        later = self.closes[min(self.at + 3, len(self.closes) - 1)]
        if later <= 1.005 * candle.close:
            return None
        return self.buy(candle, stop_loss=1.0, target=2 * candle.close, confidence=0.7)


class Counts(Strategy):
    """Buys each hundredth candle that it has seen: so its signals depend on the beginning."""

    name = "counts"
    history_needed = 5

    def __init__(self) -> None:
        self.seen = 0

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        self.seen += 1
        if self.seen % 100:
            return None
        return self.buy(candle, stop_loss=1.0, target=2 * candle.close, confidence=0.7)


def late_crossover() -> MaCrossover:
    return MaCrossover(history_needed=400)


def test_an_honest_strategy_with_enough_history_shows_no_bias() -> None:
    assert look_ahead(HISTORY, honest(MaCrossover)) is None
    assert list(warm_up(HISTORY, honest(late_crossover), 400)) == []


def test_a_strategy_that_sees_the_future_is_found_with_its_first_candle() -> None:
    def peeking(history: CandleHistory) -> tuple[StrategySignal, ...]:
        return signals_of(Peeks(tuple(history.close.tolist())), history.candles())

    found = look_ahead(HISTORY, peeking)
    assert found is not None
    assert (found.kind, found.instrument) == ("look-ahead", "NSE:RELIANCE")
    assert found.opened_ms in HISTORY.opened_ms
    assert "without what follows" in found.what


def test_signals_that_depend_on_the_beginning_are_found() -> None:
    (bias,) = warm_up(HISTORY, honest(Counts), 5)
    assert bias.kind == "warm-up"
    assert "when history begins 5 candles before" in bias.what


def test_an_indicator_that_drifts_with_the_warm_up_is_named_with_its_candle() -> None:
    def short() -> MaCrossover:
        return MaCrossover(history_needed=10)

    found: list[Bias] = list(warm_up(HISTORY, honest(short), 10))
    assert {bias.kind for bias in found} == {"warm-up", "drift"}
    drifts = [bias.what for bias in found if bias.kind == "drift"]
    assert len(drifts) == 2
    assert any(what.startswith("indicator ema_slow differs by") for what in drifts)


def test_a_history_that_is_shorter_than_the_warm_up_shows_nothing() -> None:
    assert list(warm_up(random_walk(30), honest(MaCrossover), 50)) == []
