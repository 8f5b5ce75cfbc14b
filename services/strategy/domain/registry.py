"""StrategyFactory: strategies by name, and how one is made from the settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from libs.errors import AlphaStocksError
from libs.market.names import unknown
from libs.strategy.parameters import WrongParameters, made
from libs.strategy.strategy import Strategy


class UnknownStrategy(AlphaStocksError, ValueError):
    """An unknown or broken strategy, or parameters that it does not take."""


@dataclass(frozen=True, slots=True)
class KnownStrategies:
    """Strategy classes by name, where each comes from, and those that cannot be used.

    `broken`: an entry point's name or a file's, and why.
    """

    classes: Mapping[str, type[Strategy]]
    sources: Mapping[str, str] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)


def class_of(name: str, known: KnownStrategies) -> type[Strategy]:
    """Return the class of a name; raise UnknownStrategy, with what is broken, if there is none."""
    if name in known.classes:
        return known.classes[name]
    if name in known.broken:
        raise UnknownStrategy(f"strategy {name}: {known.broken[name]}")
    said = unknown(name, sorted(known.classes), "strategy")
    broken = "".join(f"; {source} is broken: {why}" for source, why in known.broken.items())
    raise UnknownStrategy(said + broken)


def make_strategy(name: str, parameters: Mapping[str, Any], known: KnownStrategies) -> Strategy:
    """Return a new strategy object; raise UnknownStrategy for an unknown name or parameter."""
    try:
        return made(class_of(name, known), parameters)
    except WrongParameters as error:
        raise UnknownStrategy(f"strategy {name}: {error}") from None
