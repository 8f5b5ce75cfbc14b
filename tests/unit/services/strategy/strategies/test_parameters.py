"""The parameters of all built-in strategies: each has bounds, and says what is beyond them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from annotated_types import Ge, Gt, Le, Lt

from libs.strategy.parameters import WrongParameters, made, parameters_of
from libs.strategy.strategy import Strategy
from services.strategy.domain.strategies import BUILT_IN
from services.strategy.domain.strategies.rsi import Rsi

PAGES = Path(__file__).parents[5] / "docs" / "strategies"
OUT: dict[type, tuple[str, float]] = {Ge: ("ge", -1), Gt: ("gt", 0), Le: ("le", 1), Lt: ("lt", 0)}


def beyond_bounds() -> Iterator[tuple[type[Strategy], str, Any]]:
    for strategy in BUILT_IN:
        for name, field in parameters_of(strategy).model_fields.items():
            for bound in field.metadata:
                attribute, step = OUT[type(bound)]
                yield strategy, name, getattr(bound, attribute) + step


@pytest.mark.parametrize(("strategy", "name", "value"), beyond_bounds())
def test_a_parameter_beyond_its_bounds_is_refused_by_name(
    strategy: type[Strategy], name: str, value: float
) -> None:
    with pytest.raises(WrongParameters, match=f"^{name}: {value} should be "):
        made(strategy, {name: value})


@pytest.mark.parametrize("strategy", BUILT_IN, ids=lambda one: one.name)
def test_every_number_has_bounds(strategy: type[Strategy]) -> None:
    fields = parameters_of(strategy).model_fields
    unbounded = [
        name
        for name, field in fields.items()
        if field.annotation in (int, float) and not field.metadata
    ]
    assert unbounded == ["history_needed"]
    with pytest.raises(WrongParameters, match="history_needed: -1 should be"):
        made(strategy, {"history_needed": -1})


@pytest.mark.parametrize("strategy", BUILT_IN, ids=lambda one: one.name)
def test_an_interval_that_is_none_is_refused_by_name(strategy: type[Strategy]) -> None:
    assert "15m" in get_args(parameters_of(strategy).model_fields["interval"].annotation)
    with pytest.raises(WrongParameters, match=r"^interval: '7m' should be "):
        made(strategy, {"interval": "7m"})


@pytest.mark.parametrize("strategy", BUILT_IN, ids=lambda one: one.name)
def test_the_defaults_are_within_the_bounds(strategy: type[Strategy]) -> None:
    defaults = {name: one.default for name, one in parameters_of(strategy).model_fields.items()}
    assert made(strategy, defaults).name == strategy.name


def test_zones_that_overlap_are_refused_by_name() -> None:
    with pytest.raises(WrongParameters, match=r"oversold \(70\.0\) must be below overbought \(70"):
        made(Rsi, {"oversold": 70.0})


@pytest.mark.parametrize("strategy", BUILT_IN, ids=lambda one: one.name)
def test_its_page_has_every_parameter_with_its_default(strategy: type[Strategy]) -> None:
    page = (PAGES / f"{strategy.name}.md").read_text()
    told = dict(re.findall(r"^\| `(\w+)` \| `?([^`|]+?)`? \|", page, re.MULTILINE))
    fields = parameters_of(strategy).model_fields
    assert told == {name: str(field.default) for name, field in fields.items()}
    assert (
        f"[{strategy.name}](strategies/{strategy.name}.md)" in PAGES.with_suffix(".md").read_text()
    )
