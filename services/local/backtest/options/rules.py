"""The rules by which signals are traded in options, and what the model of prices assumes."""

from dataclasses import dataclass, field, replace
from math import inf
from typing import NoReturn

from pydantic import ValidationError

from services.executor.domain.policy import HOUR_MS, Policy
from services.local.backtest.errors import BacktestError
from services.local.backtest.result import BacktestRequest
from services.position.domain.exit_rules.settings import ExitSettings

_HIGHEST = 5.0


@dataclass(frozen=True, slots=True)
class PriceModel:
    """Black-76 on the spot grown at the executor's rate, without smile or skew.

    `volatility` per square root of a year (0.15 is 15 %); None: realised over the closes of the
    last `volatility_days` sessions before the day, from `least_days` returns on, at least `floor`.
    Between bid and ask lie `spread` of the mid price or `spread_rupees`, whichever is more, and at
    least a tick. A recorded chain counts for `recorded_ms`.
    """

    volatility: float | None = None
    volatility_days: int = 20
    least_days: int = 5
    floor: float = 0.10
    spread: float = 0.005
    spread_rupees: float = 0.0
    recorded_ms: int = 120_000

    def __post_init__(self) -> None:
        for name, volatility in (("volatility", self.volatility), ("floor", self.floor)):
            if volatility is not None and not 0 < volatility <= _HIGHEST:
                _refuse(name, volatility, f"is not above 0 and up to {_HIGHEST}; 0.15 is 15 %")
        if not 0 <= self.spread < 1:
            _refuse("spread", self.spread, "is no fraction of the price; 0.005 is 0.5 %")
        if not 0 <= self.spread_rupees < inf:
            _refuse("spread_rupees", self.spread_rupees, "is no number of rupees")
        if not 1 <= self.least_days <= self.volatility_days:
            _refuse("least_days", self.least_days, f"is not within 1..{self.volatility_days}")
        if not 0 <= self.recorded_ms <= HOUR_MS:
            _refuse("recorded_ms", self.recorded_ms, f"is not within 0..{HOUR_MS}")


def _refuse(name: str, value: float, why: str) -> NoReturn:
    raise BacktestError(f"{name}: {value} {why}")


@dataclass(frozen=True, slots=True)
class OptionRules:
    """The executor's policy, the exits of the position service, and the model of prices."""

    policy: Policy = field(default_factory=Policy)
    exits: ExitSettings = field(default_factory=ExitSettings)
    model: PriceModel = field(default_factory=PriceModel)

    def of(self, request: BacktestRequest) -> "OptionRules":
        """Return these rules with the backtest's capital; raise BacktestError if it does not fit.

        All else, the fractions at risk too, is as the executor has it.
        """
        try:
            sizing = replace(self.policy.sizing, capital=request.capital)
        except ValidationError as error:
            raise BacktestError(f"capital: {error.errors()[0]['msg']}") from error
        return replace(self, policy=replace(self.policy, sizing=sizing))
