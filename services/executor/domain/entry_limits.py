"""Settings of what limits entries besides the account: budgets of risk, entries after a stop."""

from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass

from libs.market.bounds import STRICT
from libs.market.instruments import underlying_name
from libs.market.names import known_underlying
from libs.market.units import Count, Milliseconds
from services.executor.domain.profiles.profile import PartOfCapital

HOUR_MS = 3_600_000
Underlying = Annotated[str, AfterValidator(known_underlying)]


@dataclass(frozen=True, slots=True, config=STRICT)
class RiskBudgets:
    """How much of the capital may be at risk at once, in fractions; None for no budget.

    Of each strategy and of each underlying; `strategies` and `underlyings` have those of single
    ones instead. Entries in flight count. The lots of a trade are cut to what is left.
    """

    each_strategy: PartOfCapital | None = None
    each_underlying: PartOfCapital | None = None
    strategies: Mapping[str, PartOfCapital] = field(default_factory=dict)
    underlyings: Mapping[Underlying, PartOfCapital] = field(default_factory=dict)

    def of_strategy(self, name: str) -> Decimal | None:
        """Return a strategy's budget."""
        return self.strategies.get(name, self.each_strategy)

    def of_underlying(self, name: str) -> Decimal | None:
        """Return the budget of an underlying."""
        own = {underlying_name(one): part for one, part in self.underlyings.items()}
        return own.get(underlying_name(name), self.each_underlying)


@dataclass(frozen=True, slots=True, config=STRICT)
class ReEntry:
    """Entries of a strategy in an underlying in which it was stopped on the same day.

    `most_a_day`: after so many stops it enters there again, and after more it does not; None for
    no limit, and then nothing else counts either. `after_ms`: how long after a stop. Only a signal
    that was given after the stop counts.
    """

    most_a_day: Annotated[int, Count(0, 100, of="entries")] | None = None
    after_ms: Annotated[int, Milliseconds(0, 6 * HOUR_MS)] = 0
