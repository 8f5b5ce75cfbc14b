"""A stop that follows the price upwards."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic.dataclasses import dataclass as pydantic_dataclass

from libs.events.exit_plan import Trail
from libs.events.positions import PositionEvent
from libs.market.bounds import STRICT, refuse
from libs.market.units import Fraction, Rupees
from services.position.domain.exit_rules.quiet import Quiet
from services.position.domain.exit_rules.rule import Exit, Mark, on_grid


@pydantic_dataclass(frozen=True, slots=True, config=STRICT)
class TrailingStopSettings:
    """`gain`: the stop acts once the price has risen by this fraction of the entry price.

    `fall`: it exits when the price has then fallen by this fraction of the highest price;
    `points` instead are rupees a unit below it.
    """

    gain: Annotated[Decimal, Fraction(0, 10)]
    fall: Annotated[Decimal, Fraction(0, 1, above=True, below=True)] | None = None
    points: Annotated[Decimal, Rupees("0.05", 100_000)] | None = None

    def __post_init__(self) -> None:
        if (self.fall is None) == (self.points is None):
            refuse("fall", "write one of fall (a fraction) and points (rupees a unit)")

    @property
    def trail(self) -> Trail:
        """The same as a position's plan has it."""
        if self.points is not None:
            return Trail(gain=self.gain, fall=self.points, unit="points")
        return Trail(gain=self.gain, fall=self.fall or Decimal(0))


@dataclass(frozen=True, slots=True)
class TrailingStop:
    """Exits when the price has fallen far enough from its highest; settings of None: never.

    A position's own plan goes before the settings.
    """

    settings: TrailingStopSettings | None

    def check(self, mark: Mark, position: PositionEvent) -> Exit | None:
        """Return an exit of everything when the gain was reached and the price has fallen back.

        The highest price since the gain was reached is the highest since the opening.
        """
        level = self.level(mark.highest, position)
        if level is None or mark.last_price > float(level):
            return None
        return Exit("trailing_stop")

    def quiet(self, position: PositionEvent, highest: float) -> Quiet:
        """Nothing before the gain, and above that stop after it."""
        level = self.level(highest, position)
        return Quiet() if level is None else Quiet(above=float(level))

    def acts_from(self, position: PositionEvent) -> float | None:
        """Return the price of the gain, rupees."""
        trail = self._trail(position)
        return None if trail is None else float(position.entry_price * (1 + trail.gain))

    def level(self, highest: float, position: PositionEvent) -> Decimal | None:
        """Return the stop below the highest price, once the gain was reached."""
        trail, begins = self._trail(position), self.acts_from(position)
        if trail is None or begins is None or highest < begins:
            return None
        top = Decimal(str(highest))
        stop = top * (1 - trail.fall) if trail.unit == "fraction" else top - trail.fall
        return on_grid(stop, position.contract.tick_size)

    def _trail(self, position: PositionEvent) -> Trail | None:
        if position.exit_plan is not None:
            return position.exit_plan.trail
        return None if self.settings is None else self.settings.trail
