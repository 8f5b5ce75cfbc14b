"""StrategyFactory: strategies by name, built in and from installed packages.

A package adds a strategy by an entry point of group `alphastocks.strategies`, whose name is the
strategy's and whose object is a subclass of `alphastocks.Strategy`; nothing here changes.
"""

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, get_args

from libs.errors import AlphaStocksError
from libs.events.candles import Interval
from libs.market.names import unknown
from libs.strategy.strategy import Strategy
from services.strategy.domain.ma_crossover import MaCrossover

BUILT_IN: dict[str, type[Strategy]] = {MaCrossover.name: MaCrossover}
ENTRY_POINTS = "alphastocks.strategies"


class UnknownStrategy(AlphaStocksError, ValueError):
    """An unknown or broken strategy, or parameters that it does not take."""


def known_strategies() -> dict[str, type[Strategy]]:
    """Return name → class, built in and installed; raise UnknownStrategy for a broken one."""
    installed = {point.name: _loaded(point) for point in entry_points(group=ENTRY_POINTS)}
    return installed | BUILT_IN


def _loaded(point: EntryPoint) -> type[Strategy]:
    try:
        found = point.load()
    except Exception as error:
        raise UnknownStrategy(f"strategy {point.name}: {point.value}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise UnknownStrategy(f"strategy {point.name}: {point.value} is not a subclass of Strategy")
    name = getattr(found, "name", None)
    if name != point.name:
        raise UnknownStrategy(f"strategy {point.name}: {point.value} has the name {name!r}")
    return found


def make_strategy(
    name: str, parameters: Mapping[str, Any], known: Mapping[str, type[Strategy]]
) -> Strategy:
    """Return a new strategy object; raise UnknownStrategy for an unknown name or parameter."""
    try:
        strategy_class = known[name]
    except KeyError:
        raise UnknownStrategy(unknown(name, sorted(known), "strategy")) from None
    try:
        strategy = strategy_class(**parameters)
    except (TypeError, ValueError) as error:
        raise UnknownStrategy(f"strategy {name}: {error}") from None
    intervals = get_args(Interval)
    if strategy.interval not in intervals:
        said = unknown(str(strategy.interval), intervals, "interval")
        raise UnknownStrategy(f"strategy {name}: {said}")
    return strategy
