"""Bounds of settings, and what is said of a value outside them.

A field says its unit and its bounds: `risk: Annotated[Decimal, Fraction(0, 1, above=True)]`. Both
settings files and code that builds a dataclass of pydantic are held to them.
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, ClassVar

from pydantic import ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

STRICT = ConfigDict(extra="forbid")
"""Configuration of dataclasses that are groups of settings: an unknown key is refused."""
_AMOUNT = re.compile(r"₹?\s*([+-]?[\d,_]*\.?\d+)\s*([A-Za-z%]*)\s*")
_HUGE = Decimal(10) ** 15


def refusal(text: str) -> PydanticCustomError:
    """Return the error of a value that a setting may not have."""
    return PydanticCustomError("setting", "{text}", {"text": text})


def refuse(key: str, text: str) -> None:
    """Raise the error of a key (`limits.positions`) that contradicts another one."""
    error = InitErrorDetails(type=refusal(text), loc=tuple(key.split(".")), input=None)
    raise ValidationError.from_exception_data("settings", [error], hide_input=True)


@dataclass(frozen=True)
class Unit(ABC):
    """Bounds of a number; `above`: greater than `least`; `below`: less than `most`."""

    least: int | str
    most: int | str
    above: bool = False
    below: bool = False
    noun: ClassVar[str]
    suffixes: ClassVar[Mapping[str, str | int]] = {}

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Check the bounds after pydantic has read the number."""
        checked = partial(self._checked, source)
        return core_schema.no_info_wrap_validator_function(checked, handler(source))

    def holds(self, value: object) -> bool:
        """Whether a number is within the bounds; nan and infinity are not."""
        number, least, most = Decimal(str(value)), Decimal(self.least), Decimal(self.most)
        if not number.is_finite() or not least <= number <= most:
            return False
        return not (self.above and number == least) and not (self.below and number == most)

    @property
    def bounds(self) -> str:
        """The bounds in words, `above 0, up to 1` for example."""
        if not (self.above or self.below):
            return f"from {self.written(Decimal(self.least))} to {self.written(Decimal(self.most))}"
        first = f"{'above' if self.above else 'from'} {self.written(Decimal(self.least))}"
        return f"{first}, {'below' if self.below else 'up to'} {self.written(Decimal(self.most))}"

    @abstractmethod
    def meaning(self, number: Decimal) -> str:
        """Return what a number means, `2 %` for example."""

    def said(self, number: Decimal) -> str:
        """Return what is said of a number that is out of bounds."""
        return f"means {self.meaning(number)}"

    def written(self, number: Decimal) -> str:
        """Return a bound as it is shown."""
        return plain(number)

    def meant(self, number: Decimal) -> Decimal | None:
        """Return what was probably meant by a number that is out of bounds, if that is known."""
        return None

    def _checked(self, source: Any, value: Any, read: Callable[[Any], Any]) -> Any:
        if isinstance(value, bool):
            raise refusal(f"{self.noun} {self.bounds} is wanted, not true or false")
        try:
            number = read(value)
        except ValidationError:
            raise refusal(self._unreadable(source, value)) from None
        if not self.holds(number):
            raise refusal(self._outside(source, Decimal(str(number))))
        return number

    def _outside(self, source: Any, number: Decimal) -> str:
        if not number.is_finite() or abs(number) > _HUGE:
            return f"{number:.6g} is out of all bounds; {self.noun} {self.bounds} is wanted"
        said, meant = f"{plain(number)} {self.said(number)}; {self.noun}", self.meant(number)
        if meant is None or not self.holds(meant):
            return f"{said} {self.bounds} is wanted"
        return f"{said} is wanted: write {_toml(source, meant)} for {self.meaning(meant)}"

    def _unreadable(self, source: Any, value: object) -> str:
        """Return the error of text that is no number; it is shown only if it looks like one."""
        wanted = f"{self.noun} {self.bounds} is wanted"
        if isinstance(value, int | float):
            is_broken = isinstance(value, float) and math.isfinite(value)
            return f"{value} is no {'whole number' if is_broken else 'number'}; {wanted}"
        found = _AMOUNT.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            return wanted
        number = self._number(found)
        if number is None or not self.holds(number) or (source is int and number % 1):
            return f"{value!r} is no plain number; {wanted}"
        return f"{value!r}: write {_toml(source, number)} for {self.meaning(number)}"

    def _number(self, found: re.Match[str]) -> Decimal | None:
        """Return the number of text such as `2 %`, `5 min` or `10,00,000`."""
        digits, suffix = found[1].replace(",", "").replace("_", ""), found[2].lower()
        if suffix and suffix not in self.suffixes:
            return None
        try:
            return Decimal(digits) * Decimal(self.suffixes.get(suffix, 1))
        except InvalidOperation:
            return None


def plain(number: Decimal) -> str:
    """Return a number without an exponent and without zeros at its end."""
    text = f"{number:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def _toml(source: Any, number: Decimal) -> str:
    """Return a number as a settings file holds it: money and fractions as text."""
    return f'"{plain(number)}"' if source is Decimal else plain(number)
