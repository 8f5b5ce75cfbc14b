"""Refuse old signals: one that is replayed, or comes late, must not trade."""

from dataclasses import dataclass

from libs.events.signals import StrategySignal, staleness
from services.signal.domain.rules.rule import Refusal, Standing


@dataclass(frozen=True, slots=True)
class Age:
    """Refuses above `max_age_ms`; None: above two intervals of the signal's candle."""

    max_age_ms: int | None

    def check(self, signal: StrategySignal, standing: Standing) -> Refusal | None:
        """Return a refusal of a signal too old to act on."""
        stale = staleness(signal, standing.now_ms, self.max_age_ms)
        return None if stale is None else Refusal("stale", stale)
