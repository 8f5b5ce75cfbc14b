"""Parameters are checked by the annotations of the constructor, before it runs."""

from typing import Annotated, Any

import pytest
from pydantic import Field

from libs.events.candles import Candle
from libs.events.signals import StrategySignal
from libs.strategy.parameters import WrongParameters, made
from libs.strategy.strategy import Strategy


class Typed(Strategy):
    """Takes a number of each kind."""

    name = "typed"

    def __init__(
        self,
        span: Annotated[int, Field(ge=1, le=500)] = 9,
        percent: Annotated[float, Field(gt=0)] = 1.0,
        word: str = "close",
        history_needed: int = 50,
    ) -> None:
        self.history_needed = history_needed
        self.span, self.percent, self.word = span, percent, word

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        return None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"spam": 3}, "no parameter is called 'spam'; did you mean 'span'"),
        ({"span": 0}, "span: 0 should be greater than or equal to 1"),
        ({"span": 9.5}, "span: 9.5 should be a valid integer"),
        ({"span": True}, "span: True should be a valid integer"),
        ({"percent": "2"}, "percent: '2' should be a valid number"),
        ({"percent": 0}, "percent: 0 should be greater than 0"),
        ({"word": 3}, "word: 3 should be a valid string"),
        ({"history_needed": "fifty"}, "history_needed: 'fifty' should be a valid integer"),
        ({"history_needed": -1}, "history_needed: -1 should be a whole number from 0 to"),
        ({"span": 0, "word": 3}, "span: 0 .*; word: 3"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_value(given: dict[str, Any], said: str) -> None:
    with pytest.raises(WrongParameters, match=said):
        made(Typed, given)


def test_parameters_reach_the_constructor_and_the_others_keep_their_defaults() -> None:
    strategy = made(Typed, {"span": 5, "percent": 2})
    assert (strategy.span, strategy.percent, strategy.word) == (5, 2.0, "close")


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"interval": "7m"}, "no interval is called '7m'"),
        ({"other_intervals": ("60m", "15m")}, "names an interval twice"),
        ({"history_needed": "fifty"}, "history_needed: 'fifty' should be a whole number"),
        ({"history_needed": True}, "history_needed: True should be a whole number"),
        ({"name": ""}, "name: '' should be a text"),
    ],
)
def test_a_wrong_attribute_of_the_class_is_named(attributes: dict[str, Any], said: str) -> None:
    base = {"__init__": lambda self: None, "on_candle": Typed.on_candle, "name": "wrong"}
    wrong = type("Wrong", (Strategy,), base | attributes)
    with pytest.raises(WrongParameters, match=said):
        made(wrong, {})


def test_an_annotation_that_cannot_be_read_is_said() -> None:
    class Unread(Typed):
        def __init__(self, span: "Nowhere" = 3) -> None:  # type: ignore[name-defined]  # noqa: F821
            """Take something of a type that does not exist."""

    with pytest.raises(WrongParameters, match=r"annotations of its parameters: .*Nowhere"):
        made(Unread, {})


def test_a_new_object_of_the_same_arguments_has_seen_nothing() -> None:
    strategy = Typed(7, word="open")
    strategy.seen = 3  # type: ignore[attr-defined]
    anew = strategy.anew()
    assert (anew.span, anew.word, hasattr(anew, "seen")) == (7, "open", False)


def test_a_parameter_without_a_default_must_be_given() -> None:
    class Needs(Typed):
        def __init__(self, level: float) -> None:
            self.level = level

    with pytest.raises(WrongParameters, match="level: it has no default"):
        made(Needs, {})
    assert made(Needs, {"level": 2.5}).level == 2.5
