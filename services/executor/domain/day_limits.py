"""Limits of a day beside the account's loss: a locked profit, and each strategy's loss and profit.

They are fractions of the capital, by the day's net after charges, open positions at their marks.
Here, and not in the position service, since the executor alone knows the capital, refuses and
cancels entries, and already ends the day at the account's loss: one owner, one count.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated

from pydantic.dataclasses import dataclass as pydantic_dataclass

from libs.events.control import RiskLimitReached
from libs.market.bounds import STRICT, refuse
from libs.market.units import Fraction

_Part = Annotated[Decimal, Fraction(0, 1, above=True, below=True)]
ARMED = "_armed"
"""Added to the name of a lock whose profit was reached, and which waits for the fall."""
ACCOUNT = ""
"""The account's key among the strategies."""


@pydantic_dataclass(frozen=True, slots=True, config=STRICT)
class ProfitLock:
    """A day's profit that is kept. Once it has reached `at`, all is exited when it falls to `keep`.

    Without `keep` all is exited at once. Fractions of the capital.
    """

    at: _Part
    keep: Annotated[Decimal, Fraction(0, 1, below=True)] | None = None

    def __post_init__(self) -> None:
        if self.keep is not None and self.keep >= self.at:
            refuse("keep", f"{self.keep} is not below at, {self.at}")


@pydantic_dataclass(frozen=True, slots=True, config=STRICT)
class StrategyLimits:
    """A strategy's own day: its loss, and the profit that is kept; fractions of the capital.

    Once one is reached the strategy's positions are exited, and it opens nothing on that day.
    """

    daily_loss: _Part | None = None
    profit_lock: ProfitLock | None = None


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that refuses a new position: its value and its maximum; of one strategy, or of all.

    `is_armed`: a profit was reached that is locked once it falls.
    """

    limit: str
    value: float
    maximum: float
    strategy: str = ACCOUNT

    @property
    def is_armed(self) -> bool:
        """Whether it refuses nothing yet."""
        return self.limit.endswith(ARMED)


@dataclass(slots=True)
class DayLimits:
    """Which limits a day has reached; they stay reached until the next day."""

    capital: Decimal
    profit_lock: ProfitLock | None = None
    each: StrategyLimits = field(default_factory=StrategyLimits)
    own: Mapping[str, StrategyLimits] = field(default_factory=dict)
    _armed: set[str] = field(default_factory=set)
    _reached: dict[str, Breach] = field(default_factory=dict)

    @property
    def are_set(self) -> bool:
        """Whether there is a limit to look at."""
        unset = StrategyLimits()
        return self.profit_lock is not None or self.each != unset or bool(self.own)

    @property
    def reached(self) -> tuple[Breach, ...]:
        """The limits that were reached today."""
        return tuple(self._reached.values())

    def begin(self) -> None:
        """Begin a day."""
        self._armed, self._reached = set(), {}

    def restore(self, event: RiskLimitReached) -> None:
        """Take a limit that was reached, or a lock that was armed, earlier today."""
        is_known = event.limit.removesuffix(ARMED) in _NAMES[event.strategy != ACCOUNT]
        if is_known:
            self._note(Breach(event.limit, event.value, event.maximum, event.strategy))

    def breach(self, strategy: str) -> Breach | None:
        """Return the limit that refuses a strategy's entries; the account's goes first."""
        return self._reached.get(ACCOUNT) or self._reached.get(strategy)

    def news(self, nets: Mapping[str, Decimal]) -> tuple[Breach, ...]:
        """Return what these results of the day (rupees, by strategy and of all) reach newly."""
        found = tuple(
            breach
            for strategy, net in nets.items()
            if strategy not in self._reached
            for breach in self._found(strategy, net)
        )
        for breach in found:
            self._note(breach)
        return found

    def _note(self, breach: Breach) -> None:
        if breach.is_armed:
            self._armed.add(breach.strategy)
        else:
            self._reached.setdefault(breach.strategy, breach)

    def _found(self, strategy: str, net: Decimal) -> Iterator[Breach]:
        limits = self._of(strategy)
        if limits.daily_loss is not None and -net >= self.capital * limits.daily_loss:
            most = float(self.capital * limits.daily_loss)
            yield Breach("strategy_daily_loss", float(-net), most, strategy)
        elif limits.profit_lock is not None:
            yield from self._locked(strategy, net, limits.profit_lock)

    def _locked(self, strategy: str, net: Decimal, lock: ProfitLock) -> Iterator[Breach]:
        name, at = _PROFIT[strategy != ACCOUNT], self.capital * lock.at
        is_armed = strategy in self._armed
        if not is_armed and net < at:
            return
        if lock.keep is None:
            yield Breach(name, float(net), float(at), strategy)
        elif not is_armed:
            yield Breach(name + ARMED, float(net), float(at), strategy)
        elif net <= self.capital * lock.keep:
            yield Breach(name, float(net), float(self.capital * lock.keep), strategy)

    def _of(self, strategy: str) -> StrategyLimits:
        if strategy == ACCOUNT:
            return StrategyLimits(profit_lock=self.profit_lock)
        return self.own.get(strategy, self.each)


_PROFIT = {False: "daily_profit", True: "strategy_daily_profit"}
"""The name of a lock: the account's, a strategy's."""
_NAMES = {False: ("daily_profit",), True: ("strategy_daily_profit", "strategy_daily_loss")}
"""The limits of the account, and those of a strategy."""
