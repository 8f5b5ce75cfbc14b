"""The units of settings: fractions, rupees, counts, lengths of time."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, ClassVar

from libs.market.bounds import Unit, plain
from libs.market.rupees import rupees

_MS, _SECOND, _MINUTE, _HOUR = 1, 1000, 60_000, 3_600_000


class Fraction(Unit):
    """A part of a whole: 0.02 is 2 %."""

    noun = "a fraction"
    suffixes: ClassVar[Mapping[str, str | int]] = {"%": "0.01"}

    def meaning(self, number: Decimal) -> str:
        """Return the fraction in percent."""
        return f"{plain(number * 100)} %"

    def meant(self, number: Decimal) -> Decimal | None:
        """Return a number from 1 on as percent, a negative one without its sign."""
        return number / 100 if number >= 1 else -number if number < 0 else None


@dataclass(frozen=True)
class Percent(Unit):
    """A number of percent: 2 is 2 %; `or_zero`: 0 is accepted beside the bounds."""

    or_zero: bool = False
    noun: ClassVar[str] = "a number of percent"
    suffixes: ClassVar[Mapping[str, str | int]] = {"%": 1}

    @property
    def bounds(self) -> str:
        """The bounds in words."""
        return f"{super().bounds}{', or 0' if self.or_zero else ''}"

    def holds(self, value: object) -> bool:
        """Whether a number is within the bounds, or the 0 beside them."""
        return (self.or_zero and Decimal(str(value)) == 0) or super().holds(value)

    def meant(self, number: Decimal) -> Decimal | None:
        """Return a number that is too small as a fraction."""
        return number * 100 if 0 < number < Decimal(self.least) else None

    def meaning(self, number: Decimal) -> str:
        """Return the number in percent."""
        return f"{plain(number)} %"


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
        return plain(number)

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
        return f"{number:,f}" if abs(number) >= 10_000 else plain(number)


class Times(Unit):
    """How many times as much: 2 is twice."""

    noun = "a number of times"

    def meaning(self, number: Decimal) -> str:
        """Return the number of times."""
        return f"{plain(number)} times"


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
        """Return a number that is too small as seconds; as minutes first, if the least is one."""
        least = Decimal(self.least)
        if not 0 < number < least:
            return None
        is_minutes = least >= _MINUTE and self.holds(number * _MINUTE)
        return number * (_MINUTE if is_minutes else _SECOND)

    def written(self, number: Decimal) -> str:
        """Return a bound with its length in words."""
        return f"{number:f} ({span_text(number)})" if number >= _SECOND else plain(number)


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
        return f"{plain(left)} ms"
    parts = []
    for name, length in (("h", _HOUR), ("min", _MINUTE)):
        whole, left = divmod(left, length)
        parts += [f"{plain(whole)} {name}"] if whole else []
    return " ".join([*parts, f"{plain(left / _SECOND)} s"] if left or not parts else parts)
