"""What many backtests are asked for, from the words of the command."""

from collections.abc import Sequence

from services.local.backtest.errors import BacktestError
from services.local.backtest.many.grid import grid_of, parse_values
from services.local.backtest.many.runs import Asked
from services.strategy.domain.registry import KnownStrategies, class_of


def asked_of(
    strategies: Sequence[str], words: Sequence[str], known: KnownStrategies
) -> tuple[Asked, ...]:
    """Return each strategy with each set of parameters of words such as `fast=5` or `fast=3..9`.

    Sets that a strategy refuses are left out. Raises BacktestError for words that are none, and
    UnknownStrategy for an unknown strategy.
    """
    parameters = {}
    for word in words:
        name, sign, text = (part.strip() for part in word.partition("="))
        if not (name and sign and text):
            raise BacktestError(f"--param {word}: write --param name=value, such as fast=5")
        if name in parameters:
            raise BacktestError(f"--param {name} is given twice; a grid is {name}=1,2,3")
        parameters[name] = parse_values(text)
    return tuple(
        Asked(strategy, chosen)
        for strategy in dict.fromkeys(strategies)
        for chosen in grid_of(class_of(strategy, known), parameters).sets
    )
