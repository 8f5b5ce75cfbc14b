"""Refuse more signals than are wanted of an underlying and day."""

from dataclasses import dataclass

from libs.events.signals import StrategySignal
from services.signal.domain.rules.rule import Refusal, Standing


@dataclass(frozen=True, slots=True)
class PerDay:
    """Refuses when `most` signals on the underlying have passed today; None: never."""

    most: int | None

    def check(self, signal: StrategySignal, standing: Standing) -> Refusal | None:
        """Return a refusal of one signal too many."""
        if self.most is None or standing.passed < self.most:
            return None
        return Refusal("signals_a_day", {"passed": standing.passed, "maximum": self.most})
