"""Refuse signals on underlyings that are not wanted."""

from collections.abc import Iterable
from dataclasses import dataclass

from libs.events.signals import StrategySignal
from libs.market.instruments import underlying_name
from services.signal.domain.rules.rule import Refusal, Standing


@dataclass(frozen=True, slots=True)
class Underlyings:
    """Refuses what is not `allowed`, and what is `excluded`; nothing allowed by name: all are."""

    allowed: frozenset[str]
    excluded: frozenset[str]

    def check(self, signal: StrategySignal, standing: Standing) -> Refusal | None:
        """Return a refusal of an underlying that is not wanted."""
        name = underlying_name(signal.underlying)
        if name in self.excluded:
            return Refusal("underlying_excluded", {"underlying": name})
        if self.allowed and name not in self.allowed:
            return Refusal("underlying_not_allowed", {"underlying": name})
        return None


def names_of(underlyings: Iterable[str]) -> frozenset[str]:
    """Return the names under which contracts are listed: `NIFTY BANK` is `BANKNIFTY`."""
    return frozenset(underlying_name(one) for one in underlyings)
