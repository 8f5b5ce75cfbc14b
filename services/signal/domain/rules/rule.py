"""The interface of a rule: what it gets, and what it returns."""

from dataclasses import dataclass, field
from typing import Protocol

from libs.events.signals import SignalGenerated, StrategySignal

Numbers = dict[str, float | str]


@dataclass(frozen=True, slots=True)
class Standing:
    """What came before a signal.

    `now_ms` is the service's clock (epoch ms). Of the signal's session: `last` is the last signal
    that passed for the same symbol and strategy, `passed` how many have for its underlying.
    """

    now_ms: int
    last: SignalGenerated | None = None
    passed: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a signal does not pass, and the numbers that caused it."""

    reason: str
    numbers: Numbers = field(default_factory=dict)


class Rule(Protocol):
    """A rule that refuses signals, for a reason of its own.

    It keeps no state: what came before is the standing.
    """

    def check(self, signal: StrategySignal, standing: Standing) -> Refusal | None:
        """Return why the signal is refused, or None; must not raise."""
