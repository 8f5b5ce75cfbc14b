"""Grids of parameters: `span=5,10,20` and `fast=3..9` become sets of parameters."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from libs.strategy.parameters import WrongParameters, made
from libs.strategy.strategy import Strategy
from services.local.backtest.errors import BacktestError

MOST_SETS = 20_000
"""More sets than this are refused: the best of so many says nothing."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Sets of parameters that a strategy takes, and why it refused the others."""

    sets: tuple[Mapping[str, Any], ...]
    refused: tuple[str, ...]


def parse_values(text: str) -> tuple[Any, ...]:
    """Return the values of `5,10,20`, `3..9`, `3..9..2` (step) or one value.

    A number or true/false is read as such, all else is text. Raises BacktestError naming the text.
    """
    return tuple(value for part in text.split(",") for value in _range_or_value(part.strip()))


def grid_of(strategy_class: type[Strategy], parameters: Mapping[str, Sequence[Any]]) -> Grid:
    """Return all combinations; those that the strategy refuses are left out, with the reason.

    Raises BacktestError where it refuses all of them, or where there are too many.
    """
    count = 1
    for values in parameters.values():
        count *= len(values)
    if count > MOST_SETS:
        raise BacktestError(f"{count} sets of parameters are more than {MOST_SETS}")
    sets, refused = [], []
    for combination in product(*parameters.values()):
        chosen = dict(zip(parameters, combination, strict=True))
        try:
            made(strategy_class, chosen)
        except WrongParameters as error:
            refused.append(str(error))
        else:
            sets.append(chosen)
    if not sets:
        raise BacktestError(f"strategy {strategy_class.name}: {refused[0]}")
    return Grid(tuple(sets), tuple(refused))


def _range_or_value(part: str) -> Sequence[Any]:
    if ".." not in part:
        return [literal(part)]
    edges = [literal(one) for one in part.split("..")]
    if len(edges) not in (2, 3) or not all(type(one) in (int, float) for one in edges):
        raise BacktestError(f"--param: {part!r} is no range such as 3..9 or 3..9..2")
    first, last, step = (*edges, 1)[:3]
    if step <= 0 or last < first:
        raise BacktestError(f"--param: {part!r} goes from a number up to a larger one")
    steps = int((last - first) / step + 1e-9)
    if steps >= MOST_SETS:
        raise BacktestError(f"--param: {part!r} has more than {MOST_SETS} values")
    values = (first + number * step for number in range(steps + 1))
    return [value if type(value) is int else round(value, 12) for value in values]


def literal(text: str) -> Any:
    """Return a number, true or false as such (TOML's spelling), all else as text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
