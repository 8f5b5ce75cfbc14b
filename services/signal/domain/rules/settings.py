"""The rules in their order of precedence, and their settings."""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass

from libs.market.bounds import STRICT, refuse
from libs.market.instruments import underlying_name
from libs.market.names import known_underlying
from libs.market.time_windows import Window, refuse_overlaps
from libs.market.units import Count, Milliseconds
from services.signal.domain.rules.age import Age
from services.signal.domain.rules.duplicates import NoDuplicate
from services.signal.domain.rules.no_test_symbol import NoTestSymbol
from services.signal.domain.rules.per_day import PerDay
from services.signal.domain.rules.rule import Rule
from services.signal.domain.rules.strength import Confidence, ExpectedMove, OwnStrength, Strength
from services.signal.domain.rules.underlyings import Underlyings, names_of
from services.signal.domain.rules.windows import Windows

Underlying = Annotated[str, AfterValidator(known_underlying)]


@dataclass(frozen=True, slots=True, config=STRICT)
class SignalRules:
    """`max_age_ms` None: two intervals of the signal's candle. 24 h at most in any case."""

    max_age_ms: Annotated[int, Milliseconds(1000, 86_400_000)] | None = None


@dataclass(frozen=True, slots=True, config=STRICT)
class SignalFilters:
    """Which signals are passed on at all; by default every one.

    `windows`: parts of the day, `[{ first = "09:30", last = "11:30" }]` for example, in which the
    signal's candle must close; none: the whole day. `underlyings`: those allowed; none: all.
    `excluded`: those never. `min_expected_move` in percent. `own`: another strength for some
    underlyings, `[{ underlying = "RELIANCE", min_confidence = 0.8 }]` for example.
    `signals_a_day`: how many may pass for an underlying and day, those of all strategies together.
    """

    windows: tuple[Window, ...] = ()
    underlyings: tuple[Underlying, ...] = ()
    excluded: tuple[Underlying, ...] = ()
    min_confidence: Confidence = 0.0
    min_expected_move: ExpectedMove = 0.0
    own: tuple[OwnStrength, ...] = ()
    signals_a_day: Annotated[int, Count(1, 10_000, of="signals")] | None = None

    def __post_init__(self) -> None:
        refuse_overlaps("windows", self.windows)
        for one in _repeated(own.underlying for own in self.own):
            refuse("own", f"{one} has two strengths of its own: write one")
        for one in self.underlyings:
            if underlying_name(one) in names_of(self.excluded):
                refuse("excluded", f"{one} is among underlyings too: leave it out of one of them")
        for own in self.own:
            if not self.passes(own.underlying):
                refuse(
                    "own", f"{own.underlying} never passes underlyings and excluded: leave it out"
                )

    def passes(self, underlying: str) -> bool:
        """Return whether signals on an underlying may pass."""
        name, allowed = underlying_name(underlying), names_of(self.underlyings)
        return name not in names_of(self.excluded) and (not allowed or name in allowed)


def _repeated(names: Iterable[str]) -> list[str]:
    counts = Counter(underlying_name(name) for name in names)
    return [name for name, count in counts.items() if count > 1]


def signal_rules(rules: SignalRules, filters: SignalFilters) -> tuple[Rule, ...]:
    """Return the rules in order of precedence: if several refuse, the first gives the reason."""
    return (
        NoTestSymbol(),
        Age(rules.max_age_ms),
        Underlyings(names_of(filters.underlyings), names_of(filters.excluded)),
        Windows(filters.windows),
        Strength(
            filters.min_confidence,
            filters.min_expected_move,
            {underlying_name(one.underlying): one for one in filters.own},
        ),
        NoDuplicate(),
        PerDay(filters.signals_a_day),
    )
