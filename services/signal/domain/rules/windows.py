"""Refuse signals outside the windows of the day."""

from dataclasses import dataclass

from libs.events.signals import StrategySignal
from libs.market.calendar import IST
from libs.market.time_windows import Window, are_open
from services.signal.domain.rules.rule import Refusal, Standing


@dataclass(frozen=True, slots=True)
class Windows:
    """Refuses a signal whose candle closed in none of the windows; no windows: never."""

    windows: tuple[Window, ...]

    def check(self, signal: StrategySignal, standing: Standing) -> Refusal | None:
        """Return a refusal of a signal of another time of the day."""
        at = signal.occurred_at.astimezone(IST).time()
        if are_open(self.windows, at):
            return None
        allowed = ", ".join(str(one) for one in self.windows)
        return Refusal("outside_the_windows", {"time": f"{at:%H:%M:%S}", "windows": allowed})
