"""A strategy's parameters: the arguments of its constructor, checked by their annotations."""

from collections.abc import Mapping
from functools import cache
from inspect import Parameter, signature
from typing import Any, TypeAlias, TypeVar, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from libs.errors import AlphaStocksError
from libs.events.candles import Interval
from libs.market.names import unknown
from libs.strategy.strategy import Strategy

Made = TypeVar("Made", bound=Strategy)
Value: TypeAlias = int | float | str

MOST_HISTORY = 100_000
"""Candles that a strategy may ask for before its first signal."""


class WrongParameters(AlphaStocksError, ValueError):
    """Parameters that a strategy does not take, or a class that is not right; the text says why."""


@cache
def parameters_of(strategy_class: type[Strategy]) -> type[BaseModel]:
    """Return a model of the constructor's arguments: names, types, bounds, defaults.

    Raises WrongParameters for an annotation that cannot be read.
    """
    constructor = strategy_class.__init__
    try:
        types = get_type_hints(constructor, include_extras=True)
        arguments = list(signature(constructor).parameters.values())[1:]
        fields = {
            one.name: (types.get(one.name, Value), ... if one.default is one.empty else one.default)
            for one in arguments
            if one.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
        }
        is_open = any(one.kind is Parameter.VAR_KEYWORD for one in arguments)
        config = ConfigDict(strict=True, extra="allow" if is_open else "forbid")
        name = strategy_class.__name__
        model: type[BaseModel] = create_model(name, __config__=config, **fields)  # type: ignore[call-overload]
        return model
    except (NameError, TypeError, PydanticUserError, PydanticSchemaGenerationError) as error:
        reason = str(error).splitlines()[0]
        raise WrongParameters(f"the annotations of its parameters: {reason}") from error


def made(strategy_class: type[Made], given: Mapping[str, Any]) -> Made:
    """Return a new strategy object with parameters.

    Raises WrongParameters for a parameter of the wrong name, type or value, for what the
    constructor refuses by ValueError or TypeError, and for a class attribute that is not right.
    """
    model = parameters_of(strategy_class)
    try:
        checked = model.model_validate(dict(given))
    except ValidationError as error:
        raise WrongParameters(_said(error, model)) from None
    values = {name: getattr(checked, name) for name in given}
    try:
        strategy = strategy_class(**values)
    except (TypeError, ValueError) as error:
        raise WrongParameters(str(error)) from error
    _check_attributes(strategy)
    return strategy


def _said(error: ValidationError, model: type[BaseModel]) -> str:
    """Return one line: each wrong parameter, what is wrong, and the value."""
    lines = []
    for one in error.errors(include_url=False):
        key = ".".join(str(part) for part in one["loc"])
        if one["type"] == "extra_forbidden":
            lines.append(unknown(key, model.model_fields, "parameter"))
        elif one["type"] == "missing":
            lines.append(f"{key}: it has no default, so it must be given")
        else:
            text = one["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
            lines.append(f"{key}: {one['input']!r} should be {text}")
    return "; ".join(lines)


def _check_attributes(strategy: Strategy) -> None:
    name: object = getattr(strategy, "name", None)
    if not (isinstance(name, str) and name):
        raise WrongParameters(f"name: {name!r} should be a text")
    intervals = (strategy.interval, *strategy.other_intervals)
    for interval in intervals:
        if interval not in get_args(Interval):
            raise WrongParameters(unknown(str(interval), get_args(Interval), "interval"))
    if len(set(intervals)) < len(intervals):
        raise WrongParameters(f"other_intervals: {intervals} names an interval twice")
    needed: object = strategy.history_needed
    if not isinstance(needed, int) or isinstance(needed, bool) or not 0 <= needed <= MOST_HISTORY:
        bounds = f"a whole number from 0 to {MOST_HISTORY}"
        raise WrongParameters(f"history_needed: {needed!r} should be {bounds}")
    frame_length = getattr(strategy, "frame_length", None)
    if frame_length is not None and needed >= frame_length:
        raise WrongParameters(
            f"history_needed: {needed} should be below frame_length, {frame_length}"
        )
