"""A stop that follows the price upwards."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic.dataclasses import dataclass as pydantic_dataclass

from libs.events.positions import PositionEvent
from libs.market.bounds import STRICT
from libs.market.units import Fraction
from services.position.domain.exit_rules.rule import Exit, Mark


@pydantic_dataclass(frozen=True, slots=True, config=STRICT)
class TrailingStopSettings:
    """`gain`: the stop acts once the price has risen by this fraction of the entry price.

    `fall`: it exits when the price has then fallen by this fraction of the highest price.
    """

    gain: Annotated[Decimal, Fraction(0, 10)]
    fall: Annotated[Decimal, Fraction(0, 1, above=True, below=True)]


@dataclass(frozen=True, slots=True)
class TrailingStop:
    """Exits when the price has fallen far enough from its highest; settings of None: never."""

    settings: TrailingStopSettings | None

    def check(self, mark: Mark, position: PositionEvent) -> Exit | None:
        """Return an exit of everything when the gain was reached and the price has fallen back.

        The highest price since the gain was reached is the highest since the opening.
        """
        if self.settings is None:
            return None
        is_active = mark.highest >= float(position.entry_price * (1 + self.settings.gain))
        stop = float(Decimal(str(mark.highest)) * (1 - self.settings.fall))
        return Exit("trailing_stop") if is_active and mark.last_price <= stop else None
