"""What the base class does for an author: parameters, ids, levels that make sense."""

from copy import deepcopy

import pytest

from libs.events.candles import Candle
from libs.events.event import identity
from libs.events.signals import StrategySignal
from libs.strategy.harness import make_candles
from libs.strategy.strategy import Levels, Strategy, WrongSignal

(CANDLE,) = make_candles([(99.0, 101.0, 98.0, 100.0, 10)])


class Silent(Strategy):
    name = "silent"

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        return None


class Tuned(Silent):
    name = "tuned"

    def __init__(self, fast: int, slow: int = 21, *, side: str = "both", at: object = None) -> None:
        self.total = fast + slow


def test_the_arguments_are_the_parameters_with_their_defaults() -> None:
    assert Tuned(9, side="long").parameters == {
        "fast": 9,
        "slow": 21,
        "side": "long",
        "at": "None",
    }
    assert Silent().parameters == {}


def test_a_copy_has_the_same_parameters_and_state() -> None:
    copy = deepcopy(Tuned(9, 30))
    assert copy.parameters == Tuned(9, 30).parameters
    assert copy.total == 39


@pytest.mark.parametrize(
    ("make", "parameters", "culprit"),
    [(Silent, {"fast": 1}, "fast"), (Tuned, {"fats": 1}, "fats"), (Tuned, {}, "fast")],
)
def test_an_argument_that_is_not_taken_or_is_missing_is_refused(
    make: type[Strategy], parameters: dict[str, int], culprit: str
) -> None:
    with pytest.raises(TypeError, match=culprit):
        make(**parameters)


def test_a_signal_carries_what_its_candle_says() -> None:
    signal = Silent().buy(CANDLE, stop_loss=99.0, target=102.0, confidence=0.7)
    assert (signal.action, signal.price, signal.expected_move) == ("BUY", 100.0, 2.0)
    assert (signal.strategy, signal.strategy_version) == ("silent", "1")
    assert signal.correlation_id == signal.causation_id == CANDLE.candle_id
    assert (signal.exchange, signal.tradingsymbol) == (CANDLE.exchange, CANDLE.tradingsymbol)
    assert signal.occurred_ms == CANDLE.closes_ms


def test_the_same_signal_has_the_same_id_and_another_parameter_another_one() -> None:
    levels: Levels = {"stop_loss": 101.0, "target": 98.0, "confidence": 0.7}
    one, same, other = (Tuned(fast).sell(CANDLE, **levels).event_id for fast in (9, 9, 10))
    assert one == same != other


@pytest.mark.parametrize(
    ("stop_loss", "target", "confidence", "price"),
    [
        (101.0, 102.0, 0.7, None),
        (99.0, 99.5, 0.7, None),
        (99.0, 102.0, 0.7, 103.0),
        (99.0, 102.0, 1.1, None),
        (99.0, 102.0, float("nan"), None),
        (float("nan"), 102.0, 0.7, None),
        (99.0, float("inf"), 0.7, None),
        (-2.0, 1.0, 0.7, 0.0),
    ],
)
def test_a_signal_that_contradicts_itself_is_refused(
    stop_loss: float, target: float, confidence: float, price: float | None
) -> None:
    levels: Levels = {
        "stop_loss": stop_loss,
        "target": target,
        "confidence": confidence,
        "price": price,
    }
    with pytest.raises(WrongSignal, match="BUY at"):
        Silent().buy(CANDLE, **levels)


def test_a_sale_has_its_target_below_and_its_stop_above() -> None:
    assert Silent().sell(CANDLE, stop_loss=101.0, target=98.0, confidence=0.7).action == "SELL"
    with pytest.raises(WrongSignal, match=r"SELL at 100\.0: stop loss 99\.0, target 102\.0"):
        Silent().sell(CANDLE, stop_loss=99.0, target=102.0, confidence=0.7)


def test_every_signal_of_an_object_is_as_its_constructor_would_check_it() -> None:
    strategy = Tuned(9)
    for candle in make_candles([100.0, 101.0, 102.5]):
        for named in ({}, {"rsi": 30}, {"rsi": 31.5}, {"rsi": 1.0, "atr": 2.0}):
            signal = strategy.buy(candle, stop_loss=90, target=120, confidence=1, indicators=named)
            checked = StrategySignal.model_validate(signal.model_dump())
            assert signal == checked
            assert signal.model_dump_json() == checked.model_dump_json()
            assert signal.indicators == named


def test_a_signal_has_the_id_of_its_name_version_parameters_candle_and_action() -> None:
    (candle,) = make_candles([100.0])
    strategy = Tuned(9)
    for _ in range(2):
        signal = strategy.buy(candle, stop_loss=90.0, target=120.0, confidence=0.5)
        parts = (strategy.name, strategy.version, sorted(strategy.parameters.items()))
        assert signal.event_id == identity(
            "StrategySignal", *parts, candle.key, candle.candle_id, "BUY"
        )
        assert (signal.causation_id, signal.correlation_id) == (candle.candle_id,) * 2
