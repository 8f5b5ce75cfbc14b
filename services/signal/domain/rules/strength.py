"""Refuse weak signals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass as pydantic_dataclass

from libs.events.signals import StrategySignal
from libs.market.bounds import STRICT, refuse
from libs.market.instruments import underlying_name
from libs.market.names import known_underlying
from libs.market.units import Fraction, Percent
from services.signal.domain.rules.rule import Refusal, Standing

Confidence = Annotated[float, Fraction(0, 1)]
ExpectedMove = Annotated[float, Percent("0.05", 100, or_zero=True)]


@pydantic_dataclass(frozen=True, slots=True, config=STRICT)
class OwnStrength:
    """The least strength for signals on one underlying; what is left out is as for the others."""

    underlying: Annotated[str, AfterValidator(known_underlying)]
    min_confidence: Confidence | None = None
    min_expected_move: ExpectedMove | None = None

    def __post_init__(self) -> None:
        if self.min_confidence is None and self.min_expected_move is None:
            refuse("underlying", f"{self.underlying} has no strength of its own: write one")


@dataclass(frozen=True, slots=True)
class Strength:
    """Refuses less confidence (0..1) or expected move (percent) than the least wanted.

    `own` holds the strengths by the names of underlyings.
    """

    min_confidence: float
    min_expected_move: float
    own: Mapping[str, OwnStrength] = field(default_factory=dict)

    def check(self, signal: StrategySignal, standing: Standing) -> Refusal | None:
        """Return a refusal of a weak signal."""
        own = self.own.get(underlying_name(signal.underlying))
        confidence, expected_move = self.min_confidence, self.min_expected_move
        if own is not None:
            confidence = _either(own.min_confidence, confidence)
            expected_move = _either(own.min_expected_move, expected_move)
        return _below("confidence", signal.confidence, confidence) or _below(
            "expected_move", signal.expected_move, expected_move
        )


def _either(own: float | None, general: float) -> float:
    return general if own is None else own


def _below(name: str, value: float, minimum: float) -> Refusal | None:
    """Return a refusal of a value below its minimum; with a minimum of 0 nothing is checked."""
    if not minimum or value >= minimum:
        return None
    return Refusal(f"low_{name}", {name: value, "minimum": minimum})
