"""A grid is all combinations of values that the strategy takes."""

from typing import Any

import pytest

from services.local.backtest.errors import BacktestError
from services.local.backtest.many.grid import grid_of, parse_values
from services.strategy.domain.strategies.ma_crossover import MaCrossover


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5", (5,)),
        ("5,10, 20", (5, 10, 20)),
        ("3..6", (3, 4, 5, 6)),
        ("3..9..3", (3, 6, 9)),
        ("0.1..0.5..0.2", (0.1, 0.3, 0.5)),
        ("1,5..6", (1, 5, 6)),
        ("15m", ("15m",)),
        ("true,x", (True, "x")),
        ("-1..1", (-1, 0, 1)),
    ],
)
def test_values_are_read_from_text(text: str, values: tuple[Any, ...]) -> None:
    found = parse_values(text)
    assert found == values
    assert [type(one) for one in found] == [type(one) for one in values]


@pytest.mark.parametrize("text", ["9..3", "1..5..0", "a..b", "1..2..3..4", "1..1e9"])
def test_a_range_that_is_none_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(BacktestError, match=r"--param: "):
        parse_values(text)


def test_combinations_that_the_strategy_refuses_are_left_out_with_the_reason() -> None:
    grid = grid_of(MaCrossover, {"fast": (5, 30), "slow": (20, 40)})
    assert grid.sets == (
        {"fast": 5, "slow": 20},
        {"fast": 5, "slow": 40},
        {"fast": 30, "slow": 40},
    )
    assert grid.refused == ("fast (30) must be below slow (20)",)


def test_a_grid_of_which_nothing_is_taken_is_refused() -> None:
    with pytest.raises(BacktestError, match="ma_crossover: no parameter is called 'fats'"):
        grid_of(MaCrossover, {"fats": (5,)})


def test_without_parameters_there_is_one_set() -> None:
    assert grid_of(MaCrossover, {}).sets == ({},)


def test_too_many_sets_are_refused_before_any_is_made() -> None:
    with pytest.raises(BacktestError, match="250000 sets of parameters are more than"):
        grid_of(MaCrossover, {"fast": range(500), "slow": range(500)})
