"""A profile: strike, risk, levels and exits of the trades of a strategy."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from libs.market.bounds import STRICT, plain, refuse
from libs.market.time_windows import Window, refuse_overlaps
from libs.market.units import Fraction, Milliseconds, Rupees
from services.executor.domain.profiles.strike_choice import StrikeChoice

STANDARD = "standard"
"""The profile that is made of the settings of chain, levels and sizing."""
MINUTE_MS, DAY_MS = 60_000, 86_400_000
PartOfCapital = Annotated[Decimal, Fraction(0, 1, above=True, below=True)]
"""Never the whole: a 1 that is meant as 1 % would switch a limit off."""
Gain = Annotated[Decimal, Fraction("0.001", 10)]
"""A rise of the premium: 0.45 is +45 %."""


@dataclass(frozen=True, slots=True, config=STRICT)
class BookingRule:
    """At a premium that has risen by `gain`, a `part` of the bought lots is sold.

    It is rounded down to whole lots.
    """

    gain: Gain
    part: Annotated[Decimal, Fraction(0, 1, above=True, below=True)]


@dataclass(frozen=True, slots=True, config=STRICT)
class TrailRule:
    """From a rise by `gain` on, a stop follows the highest price.

    It lies below it by `fall`, a fraction of it, or by `points`, rupees a unit.
    """

    gain: Annotated[Decimal, Fraction(0, 10)]
    fall: Annotated[Decimal, Fraction(0, 1, above=True, below=True)] | None = None
    points: Annotated[Decimal, Rupees("0.05", 100_000)] | None = None

    def __post_init__(self) -> None:
        if (self.fall is None) == (self.points is None):
            refuse("fall", "a trailing stop has either fall or points: write one of them")


@dataclass(frozen=True, slots=True, config=STRICT)
class Profile:
    """What is bought and when it is left; fractions of the premium, or of the capital (`risk`).

    `min_delta`: the least delta, without its sign. `stop`, `target`: how far below and above the
    premium everything is sold; `bookings`: what is sold before the target. `cost_after`: after
    this rise the stop is at least the price paid. `max_position`: None for that of `sizing`.
    `overnight`: it may be kept after the square-off. `windows`: the times in India at which it
    is entered; none: the whole day.
    """

    stop: Annotated[Decimal, Fraction("0.01", 1, below=True)]
    target: Annotated[Decimal, Fraction("0.001", 100)]
    risk: PartOfCapital
    strike: StrikeChoice = Field(default_factory=StrikeChoice)
    min_delta: Annotated[float, Fraction(0, 1, below=True)] | None = None
    bookings: tuple[BookingRule, ...] = ()
    max_position: PartOfCapital | None = None
    holding_ms: Annotated[int, Milliseconds(MINUTE_MS, 5 * DAY_MS)] | None = None
    trail: TrailRule | None = None
    cost_after: Gain | None = None
    overnight: bool = False
    windows: tuple[Window, ...] = ()

    def __post_init__(self) -> None:
        gains = [one.gain for one in self.bookings]
        if gains != sorted(set(gains)):
            refuse("bookings", "their gains do not rise from one to the next")
        if gains and gains[-1] >= self.target:
            refuse("bookings", f"{plain(gains[-1])} is not below the target, {plain(self.target)}")
        if sum((one.part for one in self.bookings), Decimal(0)) >= 1:
            refuse("bookings", "their parts leave nothing for the target: together below 1")
        refuse_overlaps("windows", self.windows)
