"""What indicators refuse, and what one candle is worth."""

import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from libs.events.candles import Candle
from libs.strategy import indicators
from libs.strategy.harness import make_candles
from libs.strategy.indicators import (
    ADX,
    ATR,
    EMA,
    MACD,
    RSI,
    SMA,
    VWAP,
    WMA,
    Bollinger,
    Donchian,
    Keltner,
    OpeningRange,
    PreviousDay,
    Stochastic,
    SuperTrend,
    SwingHigh,
    SwingLow,
)

GUIDE = Path(__file__).parents[5] / "docs" / "strategies.md"
OF_NUMBERS: tuple[Callable[[], Any], ...] = (
    lambda: EMA(9),
    lambda: SMA(3),
    lambda: WMA(3),
    lambda: RSI(2),
    MACD,
    lambda: Bollinger(3),
)
OF_CANDLES: tuple[Callable[[], Any], ...] = (
    lambda: ADX(2),
    lambda: ATR(2),
    lambda: Donchian(3),
    lambda: Keltner(3, 2),
    OpeningRange,
    PreviousDay,
    lambda: Stochastic(3, 2, 2),
    lambda: SuperTrend(2),
    lambda: SwingHigh(1, 1),
    lambda: SwingLow(1, 1),
    VWAP,
)
UNUSED: dict[type, tuple[str, ...]] = {
    Donchian: ("close",),
    OpeningRange: ("close",),
    SwingHigh: ("low", "close"),
    SwingLow: ("high", "close"),
}
USED_PRICES = [
    (make, name)
    for make in OF_CANDLES
    for name in ("high", "low", "close")
    if name not in UNUSED.get(type(make()), ())
]
PRICES = [(p, p + 2.0, p - 1.0, p + 1.0, 100) for p in (100.0, 103.0, 99.0, 98.0, 104.0, 101.0)]


def with_price(candle: Candle, name: str, price: float) -> Candle:
    """Return a candle with another price."""
    fields = {field: getattr(candle, field) for field in Candle.__annotations__}
    return Candle(**fields | {name: price})


@pytest.mark.parametrize("make", [*OF_NUMBERS, *OF_CANDLES])
def test_the_guide_lists_each_indicator_with_its_arguments(make: Callable[[], Any]) -> None:
    kind = type(make())
    arguments = [
        one.name if one.default is one.empty else f"{one.name}={one.default}"
        for one in inspect.signature(kind).parameters.values()
    ]
    assert f"`{kind.__name__}({', '.join(arguments)})`" in GUIDE.read_text()


def test_every_indicator_is_fed_here() -> None:
    fed = {type(make()).__name__ for make in (*OF_NUMBERS, *OF_CANDLES)}
    offered = {getattr(indicators, name) for name in indicators.__all__}
    assert fed == {kind.__name__ for kind in offered if hasattr(kind, "update")}


@pytest.mark.parametrize("make", OF_NUMBERS)
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_refused_and_changes_nothing(
    make: Callable[[], Any], wrong: float
) -> None:
    fed, fresh = make(), make()
    for row in PRICES:
        with pytest.raises(ValueError, match=f"value must be a finite number, not {wrong}"):
            fed.update(wrong)
        assert fed.update(row[3]) == fresh.update(row[3]) == fed.value


@pytest.mark.parametrize(("make", "name"), USED_PRICES)
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_candle_that_is_not_finite_is_refused_and_changes_nothing(
    make: Callable[[], Any], name: str, wrong: float
) -> None:
    fed, fresh = make(), make()
    for candle in make_candles(PRICES):
        with pytest.raises(ValueError, match=f"finite numbers, not .*{name} {wrong}.*RELIANCE"):
            fed.update(with_price(candle, name, wrong))
        assert fed.update(candle) == fresh.update(candle) == fed.value


def test_one_value_defines_only_what_begins_with_it() -> None:
    assert [make().update(5.0) for make in OF_NUMBERS] == [5.0, None, None, None, (0, 0, 0), None]
    (candle,) = make_candles(PRICES[:1])
    defined = {type(one).__name__: one.update(candle) for one in (make() for make in OF_CANDLES)}
    range_and_average = {"OpeningRange": (102.0, 99.0), "VWAP": (102.0 + 99.0 + 101.0) / 3}
    assert {name: value for name, value in defined.items() if value is not None} == (
        range_and_average
    )


@pytest.mark.parametrize("wrong", [0, -1, 2.5, math.nan, "x", None, True])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (EMA, "span"),
        (MACD, "fast"),
        (Stochastic, "fastk_period"),
        (SwingHigh, "left"),
        (SwingLow, "left"),
        (OpeningRange, "minutes"),
        (Keltner, "span"),
        *((kind, "period") for kind in (SMA, WMA, RSI, ATR, ADX, Bollinger, Donchian, SuperTrend)),
    ],
)
def test_a_wrong_length_is_refused_by_name(
    make: Callable[[Any], object], name: str, wrong: object
) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be .* at least 1, not {wrong!r}$"):
        make(wrong)


@pytest.mark.parametrize("wrong", [0, -1.0, math.nan, math.inf, "x", None])
@pytest.mark.parametrize(
    ("make", "name"), [(Bollinger, "width"), (Keltner, "width"), (SuperTrend, "multiplier")]
)
def test_a_wrong_width_is_refused_by_name(
    make: Callable[..., object], name: str, wrong: object
) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be .* above 0, not {wrong!r}$"):
        make(**{name: wrong})


@pytest.mark.parametrize("name", ["slow", "signal"])
def test_each_span_of_the_macd_is_checked(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be .* not 0$"):
        MACD(**{name: 0})


def test_a_fast_span_that_is_not_below_the_slow_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"fast \(26\) must be below slow \(12\)"):
        MACD(26, 12)
