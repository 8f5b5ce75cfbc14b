"""`--filter symbol=RELIANCE,last_price>2500`: which rows are shown."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from libs.runtime.settings import SettingsError
from services.local.commands.event_rows import Row

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_CONDITION = re.compile(r"\s*([\w.]+)\s*(!=|>=|<=|=|>|<)\s*(.*?)\s*")
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Condition:
    """A field, an operator and the value to compare with."""

    field: str
    sign: str
    value: str

    def holds(self, row: Row) -> bool:
        """Return whether it holds for a row; False if the row lacks the field."""
        found = _found(row, self.field)
        if found is _MISSING or found is None:
            return False
        return _compared(found, self)


def conditions_of(text: str) -> tuple[Condition, ...]:
    """Return the conditions of an expression, all of which must hold; raise SettingsError."""
    parts = [part for part in text.split(",") if part.strip()]
    matches = [(part, _CONDITION.fullmatch(part)) for part in parts]
    for part, match in matches:
        if match is None or not match[3]:
            raise SettingsError(
                f"--filter: {part.strip()!r} is not a condition such as symbol=RELIANCE, "
                "type=OrderFilled or last_price>2500"
            )
    return tuple(Condition(*match.groups()) for _, match in matches if match is not None)


def matches(row: Row, conditions: Sequence[Condition]) -> bool:
    """Return whether all conditions hold."""
    return all(condition.holds(row) for condition in conditions)


def _found(row: Row, field: str) -> Any:
    value: Any = row
    for name in field.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return _MISSING
        value = value[name]
    return value


def _compared(found: object, condition: Condition) -> bool:
    """Compare numbers as numbers and the rest as text, a symbol with or without its exchange."""
    compare = _OPERATORS[condition.sign]
    numbers = _number(found), _number(condition.value)
    if None not in numbers:
        return compare(*numbers)
    text = str(found)
    if condition.field == "symbol" and ":" not in condition.value:
        text = text.rpartition(":")[2]
    return compare(text, condition.value)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
