"""Refuse the symbols of tests."""

from dataclasses import dataclass

from libs.events.signals import StrategySignal
from services.signal.domain.rules.rule import Refusal, Standing

TEST_PREFIX = "TEST_"


@dataclass(frozen=True, slots=True)
class NoTestSymbol:
    """Refuses `TEST_…`."""

    def check(self, signal: StrategySignal, standing: Standing) -> Refusal | None:
        """Return a refusal of a test's symbol."""
        if not signal.tradingsymbol.upper().startswith(TEST_PREFIX):
            return None
        return Refusal("test_symbol", {"tradingsymbol": signal.tradingsymbol})
