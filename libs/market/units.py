"""Units of settings: what a value may be, and what a wrong one was probably meant to be.

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
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from libs.market.rupees import rupees

STRICT = ConfigDict(extra="forbid")
"""Configuration of dataclasses that are groups of settings: an unknown key is refused."""
_AMOUNT = re.compile(r"₹?\s*([+-]?[\d,_]*\.?\d+)\s*([A-Za-z%]*)\s*")
_HUGE = Decimal(10) ** 15
_MS, _SECOND, _MINUTE, _HOUR = 1, 1000, 60_000, 3_600_000


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
        return _plain(number)

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
        said, meant = f"{_plain(number)} {self.said(number)}; {self.noun}", self.meant(number)
        if meant is None or not self.holds(meant):
            return f"{said} {self.bounds} is wanted"
        return f"{said} is wanted: write {_toml(source, meant)} for {self.meaning(meant)}"

    def _unreadable(self, source: Any, value: object) -> str:
        """Return the error of text that is no number; it is shown only if it looks like one."""
        wanted = f"{self.noun} {self.bounds} is wanted"
        if isinstance(value, int | float):
            is_part = math.isfinite(value)
            return f"{value} is no {'whole number' if is_part else 'number'}; {wanted}"
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


class Fraction(Unit):
    """A part of a whole: 0.02 is 2 %."""

    noun = "a fraction"
    suffixes: ClassVar[Mapping[str, str | int]] = {"%": "0.01"}

    def meaning(self, number: Decimal) -> str:
        """Return the fraction in percent."""
        return f"{_plain(number * 100)} %"

    def meant(self, number: Decimal) -> Decimal | None:
        """Return a number above 1 as percent, a negative one without its sign."""
        return number / 100 if number > 1 else -number if number < 0 else None


class Percent(Unit):
    """A number of percent: 2 is 2 %."""

    noun = "a number of percent"
    suffixes: ClassVar[Mapping[str, str | int]] = {"%": 1}

    def meaning(self, number: Decimal) -> str:
        """Return the number in percent."""
        return f"{_plain(number)} %"


class Rupees(Unit):
    """An amount of money in rupees."""

    noun = "an amount in rupees"
    suffixes: ClassVar[Mapping[str, str | int]] = {
        **{"rs": 1, "inr": 1, "k": 1000, "l": 100_000, "lakh": 100_000, "lakhs": 100_000},
        **{"cr": 10_000_000, "crore": 10_000_000, "crores": 10_000_000},
    }

    def meaning(self, number: Decimal) -> str:
        """Return the amount as money."""
        return rupees(number, paise=bool(number % 1))

    def written(self, number: Decimal) -> str:
        """Return a bound as money."""
        return self.meaning(number)


class Number(Unit):
    """A number without a unit."""

    noun = "a number"

    def meaning(self, number: Decimal) -> str:
        """Return the number."""
        return _plain(number)

    def said(self, number: Decimal) -> str:
        """Return on which side of the bounds a number is."""
        return "is too small" if number < Decimal(self.most) else "is too large"


@dataclass(frozen=True)
class Count(Number):
    """A whole number of things, whose plural is `of`."""

    of: str = "things"

    @property
    def noun(self) -> str:  # type: ignore[override]  # it depends on what is counted
        """What is wanted."""
        return f"a number of {self.of}"

    def written(self, number: Decimal) -> str:
        """Return a bound with its thousands apart."""
        return f"{number:,f}" if abs(number) >= 10_000 else _plain(number)


class Times(Unit):
    """How many times as much: 2 is twice."""

    noun = "a number of times"

    def meaning(self, number: Decimal) -> str:
        """Return the number of times."""
        return f"{_plain(number)} times"


class _Span(Unit):
    """A length of time; `in_ms` is the unit's length."""

    in_ms: ClassVar[int]

    def meaning(self, number: Decimal) -> str:
        """Return the time in hours, minutes and seconds."""
        return span_text(number * self.in_ms)


class Milliseconds(_Span):
    """A length of time in milliseconds."""

    noun, in_ms = "a number of milliseconds", _MS
    suffixes: ClassVar[Mapping[str, str | int]] = {
        **{"ms": _MS, "s": _SECOND, "sec": _SECOND, "seconds": _SECOND, "m": _MINUTE},
        **{"min": _MINUTE, "minutes": _MINUTE, "h": _HOUR, "hours": _HOUR},
    }

    def meant(self, number: Decimal) -> Decimal | None:
        """Return a number that is too small as seconds."""
        return number * 1000 if 0 < number < Decimal(self.least) else None

    def written(self, number: Decimal) -> str:
        """Return a bound with its length in words."""
        return f"{number:f} ({span_text(number)})" if number >= _SECOND else _plain(number)


class Seconds(_Span):
    """A length of time in seconds."""

    noun, in_ms = "a number of seconds", _SECOND
    suffixes: ClassVar[Mapping[str, str | int]] = {
        **{"ms": "0.001", "s": 1, "sec": 1, "seconds": 1, "m": 60, "min": 60, "minutes": 60},
        **{"h": 3600, "hours": 3600},
    }

    def meant(self, number: Decimal) -> Decimal | None:
        """Return a number that is too large as milliseconds."""
        return number / 1000 if number > Decimal(self.most) else None


Port = Annotated[int, Number(1, 65_535)]
"""A TCP port."""


def span_text(milliseconds: Decimal | int) -> str:
    """Return a length of time in words: `1 h 30 min`, `1.5 s`, `500 ms`."""
    left = Decimal(milliseconds)
    if abs(left) < _SECOND:
        return f"{_plain(left)} ms"
    parts = []
    for name, length in (("h", _HOUR), ("min", _MINUTE)):
        whole, left = divmod(left, length)
        parts += [f"{_plain(whole)} {name}"] if whole else []
    return " ".join([*parts, f"{_plain(left / _SECOND)} s"] if left or not parts else parts)


def _plain(number: Decimal) -> str:
    """Return a number without an exponent and without zeros at its end."""
    text = f"{number:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def _toml(source: Any, number: Decimal) -> str:
    """Return a number as a settings file holds it: money and fractions as text."""
    return f'"{_plain(number)}"' if source is Decimal else _plain(number)
