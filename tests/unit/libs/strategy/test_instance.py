"""One strategy on one instrument: in order, once, and heard when it is warm."""

from libs.events.candles import Candle
from libs.events.signals import StrategySignal
from libs.strategy.harness import make_candles
from libs.strategy.instance import StrategyInstance
from libs.strategy.strategy import Strategy

CANDLES = make_candles([100.0] * 5)


class Always(Strategy):
    name = "always"
    history_needed = 3

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        return self.buy(candle, stop_loss=99.0, target=102.0, confidence=0.7)


def test_the_first_signal_comes_on_the_candle_after_the_history_that_is_needed() -> None:
    instance = StrategyInstance(Always())
    signals = [instance.take(candle) for candle in CANDLES]
    assert [signal is not None for signal in signals] == [False, False, False, True, True]


def test_it_is_warm_when_it_has_seen_the_history_that_it_needs() -> None:
    instance = StrategyInstance(Always())
    warm = []
    for candle in CANDLES:
        warm.append(instance.is_warm)
        instance.take(candle)
    assert warm == [False, False, False, True, True]


def test_repeats_and_steps_back_are_not_fed() -> None:
    instance = StrategyInstance(Always())
    for candle in CANDLES:
        instance.take(candle)
    assert [instance.take(candle) for candle in CANDLES] == [None] * 5
    assert instance.seen == 5
