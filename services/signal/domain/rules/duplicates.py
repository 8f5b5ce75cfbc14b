"""Refuse a signal that repeats one which is still open."""

from dataclasses import dataclass

from libs.events.signals import SignalGenerated, StrategySignal
from services.signal.domain.rules.rule import Refusal, Standing


@dataclass(frozen=True, slots=True)
class NoDuplicate:
    """Refuses the last signal's direction while the price is between its stop and target."""

    def check(self, signal: StrategySignal, standing: Standing) -> Refusal | None:
        """Return a refusal of a repeat."""
        last = standing.last
        if last is None or not _repeats(signal, last):
            return None
        return Refusal(
            "duplicate",
            {
                "price": signal.price,
                "last_stop_loss": last.stop_loss,
                "last_target": last.target,
                "last_signal": str(last.signal_id),
            },
        )


def _repeats(signal: StrategySignal, last: SignalGenerated) -> bool:
    """Return whether the last signal has the same action and is still open at this price."""
    lowest, highest = sorted((last.stop_loss, last.target))
    return signal.action == last.action and lowest < signal.price < highest
