"""The executor's rules: filters, weights, sizes and limits, with their defaults."""

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from datetime import time
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from libs.market.bounds import STRICT, refuse
from libs.market.names import OneOf, known_underlying, unknown
from libs.market.time_of_day import TimeOfDay, refuse_unreached
from libs.market.time_windows import Window, refuse_overlaps
from libs.market.units import Count, Fraction, Milliseconds, Number, Percent, Rupees, Seconds, Times
from services.executor.domain.day_limits import ProfitLock, StrategyLimits
from services.executor.domain.entry_limits import ReEntry, RiskBudgets
from services.executor.domain.ladder import LadderRules
from services.executor.domain.profiles import PRESETS, STANDARD, Profile
from services.executor.domain.profiles.profile import PartOfCapital
from services.executor.domain.resting_stop import RestingStopRules

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
BEFORE_EXPIRY_MS = HOUR_MS + 15 * MINUTE_MS
INDEX_BUDGET_MS = 5_000
LAST_ENTRY = time(15, 0)
MARGIN_PAUSE_MS = 15 * MINUTE_MS


def _unless(default: object) -> Any:
    """Leave a setting at its default out of the settings' text, which names databases."""
    return Field(exclude_if=lambda value: value == default)


CALL_WITHIN_MS = 2000
"""How long after an acknowledgement the broker may be called; a newer executor waits longer."""


@dataclass(frozen=True, slots=True, config=STRICT)
class EntryFilter:
    """Which signals may trade. `expected_move` in percent; no underlyings: all of them.

    `max_age_seconds` None means two intervals of the signal's candle. `last_entry` is the time
    in India from which no position is opened: keep it before the positions' square-off. On
    a day that closes earlier (Muhurat trading, say) it is `before_close_ms` before the close. A
    contract is not bought from `before_expiry_ms` before the close of its expiry day on: keep that
    before the positions' exit. `near_expiry` says what is done instead: refuse, or buy the next
    expiry. An option that is settled in shares is not bought in the last `before_settlement_days`
    trading days before its expiry day; None means those in which the exchange asks for the
    shares' margin. `expiry_day` "refuse": on its expiry day no contract is bought at all. After an
    entry that the broker rejected for margin nothing is bought in the underlying for
    `margin_pause_ms`. `windows`: the times in India at which positions are opened, none: the whole
    day; `windows_of`: those of single strategies. Those of a profile come in between.
    """

    min_confidence: Annotated[float, Fraction(0, 1)] = 0.6
    min_expected_move: Annotated[float, Percent("0.05", 100, or_zero=True)] = 1.0
    max_age_seconds: Annotated[int, Seconds(1, 86_400)] | None = None
    underlyings: tuple[Annotated[str, AfterValidator(known_underlying)], ...] = ()
    last_entry: Annotated[time, TimeOfDay()] = LAST_ENTRY
    before_close_ms: Annotated[int, Milliseconds(MINUTE_MS, 6 * HOUR_MS)] = 30 * MINUTE_MS
    before_expiry_ms: Annotated[
        int, Milliseconds(MINUTE_MS, 6 * HOUR_MS), _unless(BEFORE_EXPIRY_MS)
    ] = BEFORE_EXPIRY_MS
    near_expiry: Annotated[Literal["refuse", "next"], OneOf(), _unless("refuse")] = "refuse"
    before_settlement_days: (
        Annotated[int, Count(0, 20, of="trading days"), _unless(None)] | None
    ) = None
    expiry_day: Annotated[Literal["trade", "refuse"], OneOf(), _unless("trade")] = "trade"
    margin_pause_ms: Annotated[
        int, Milliseconds(MINUTE_MS, 6 * HOUR_MS), _unless(MARGIN_PAUSE_MS)
    ] = MARGIN_PAUSE_MS
    windows: Annotated[tuple[Window, ...], _unless(())] = ()
    windows_of: Annotated[Mapping[str, tuple[Window, ...]], _unless({})] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        if self.last_entry != LAST_ENTRY:
            refuse_unreached("last_entry", self.last_entry, self.before_close_ms)
        refuse_overlaps("windows", self.windows)
        for strategy, windows in self.windows_of.items():
            refuse_overlaps(f"windows_of.{strategy}", windows)


@dataclass(frozen=True, slots=True, config=STRICT)
class ChainFilter:
    """Which contracts may be traded. Volume and open interest in units, spread of the premium.

    Quotes older than `quote_budget_ms` do not count: of the options, and of a share that they are
    on. An index is quoted each second, and counts for `index_budget_ms`. `rate` is the yearly rate
    of interest.
    """

    expiry: Annotated[Literal["weekly", "monthly"], OneOf()] = "weekly"
    strikes_from_atm: Annotated[int, Count(0, 50, of="strikes")] = 3
    min_volume: Annotated[int, Count(0, 10**10, of="units")] = 100
    min_oi: Annotated[int, Count(0, 10**10, of="units")] = 1000
    max_spread: Annotated[float, Fraction(0, 1, above=True)] = 0.05
    quote_budget_ms: Annotated[int, Milliseconds(100, HOUR_MS)] = 15_000
    index_budget_ms: Annotated[int, Milliseconds(100, HOUR_MS), _unless(INDEX_BUDGET_MS)] = (
        INDEX_BUDGET_MS
    )
    rate: Annotated[float, Fraction(0, "0.3")] = 0.06

    @property
    def expiries_needed(self) -> int:
        """How many of an underlying's nearest expiries hold the preferred one."""
        return 1 if self.expiry == "weekly" else 6


Weight = Annotated[float, Number(0, 100)]


@dataclass(frozen=True, slots=True, config=STRICT)
class ScoreWeights:
    """Weight of each term of the score; they need not add up to 1, but one must be above 0."""

    distance: Weight = 0.30
    delta: Weight = 0.20
    volatility: Weight = 0.15
    liquidity: Weight = 0.25
    spread: Weight = 0.10

    def __post_init__(self) -> None:
        if not any((self.distance, self.delta, self.volatility, self.liquidity, self.spread)):
            refuse("distance", "all weights are 0; the score needs one above 0: write 1 for one")


@dataclass(frozen=True, slots=True, config=STRICT)
class Sizing:
    """Rupees of capital, and the fractions of it that one position may risk and cost."""

    capital: Annotated[Decimal, Rupees(1000, 10**10)] = Decimal(1_000_000)
    risk: PartOfCapital = Decimal("0.02")
    max_position: PartOfCapital = Decimal("0.10")

    def __post_init__(self) -> None:
        if self.risk > self.max_position:
            refuse(
                "risk",
                f"{self.risk} is more than max_position, {self.max_position}: "
                "a position cannot risk more than it costs",
            )


@dataclass(frozen=True, slots=True, config=STRICT)
class LevelRules:
    """Profile `standard`: stop as a fraction of the premium, target `reward` times as far."""

    stop: Annotated[Decimal, Fraction("0.01", 1, below=True)] = Decimal("0.30")
    reward: Annotated[Decimal, Times("0.1", 100)] = Decimal("2.0")


@dataclass(frozen=True, slots=True, config=STRICT)
class RiskLimits:
    """Fractions are of the capital; counts are per trading day unless they say otherwise.

    `daily_loss` counts open positions at their marks; once it is reached nothing is opened on that
    day, and with `close_at_daily_loss` everything is closed. `profit_lock` closes everything and
    ends the day once a profit was reached; `each_strategy` has the limits of the day of every
    strategy by itself, `strategies` those of single ones instead.
    """

    positions: Annotated[int, Count(1, 10_000, of="positions")] = 3
    capital_at_risk: PartOfCapital = Decimal("0.15")
    daily_loss: PartOfCapital = Decimal("0.05")
    losses_in_a_row: Annotated[int, Count(1, 10_000, of="losses")] = 3
    trades_a_day: Annotated[int, Count(1, 100_000, of="trades")] = 20
    lots_a_trade: Annotated[int, Count(1, 1000, of="lots")] = 5
    positions_per_underlying: Annotated[int, Count(1, 10_000, of="positions")] = 1
    close_at_daily_loss: Annotated[bool, _unless(False)] = False
    profit_lock: Annotated[ProfitLock | None, _unless(None)] = None
    each_strategy: Annotated[StrategyLimits, _unless(StrategyLimits())] = field(
        default_factory=StrategyLimits
    )
    strategies: Annotated[Mapping[str, StrategyLimits], _unless({})] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.positions_per_underlying > self.positions:
            refuse(
                "positions_per_underlying",
                f"{self.positions_per_underlying} is more than positions, {self.positions}",
            )


@dataclass(frozen=True, slots=True, config=STRICT)
class OrderRules:
    """How orders are sent. `limit_buffer`: how far an entry's limit lies beyond the ask.

    An entry that has not filled by its timeout is cancelled; an exit is repriced by its ladder.
    What was oversold is bought back at a limit, for `exit_timeout_ms` each time. An order
    that is not in the broker's book is in doubt for `doubt_ms`, longer than a request can take; 0
    where no request can be under way.
    """

    product: Annotated[Literal["NRML", "MIS"], OneOf()] = "NRML"
    limit_buffer: Annotated[Decimal, Fraction(0, "0.2")] = Decimal("0.01")
    entry_timeout_ms: Annotated[int, Milliseconds(1000, HOUR_MS)] = 60_000
    exit_timeout_ms: Annotated[int, Milliseconds(1000, 10 * MINUTE_MS)] = 15_000
    exit_retry_ms: Annotated[int, Milliseconds(1000, 10 * MINUTE_MS)] = 5_000
    doubt_ms: Annotated[int, Milliseconds(0, 10 * MINUTE_MS)] = 15_000

    def __post_init__(self) -> None:
        if self.exit_retry_ms > self.exit_timeout_ms:
            refuse(
                "exit_retry_ms",
                f"{self.exit_retry_ms} is more than exit_timeout_ms, {self.exit_timeout_ms}: "
                "an exit is sent again only after its timeout",
            )


@dataclass(frozen=True, slots=True, config=STRICT)
class Policy:
    """Everything that decides what is traded.

    `profile` is that of all strategies but those of `profile_of`; `profiles` are your own.
    """

    entry: EntryFilter = field(default_factory=EntryFilter)
    chain: ChainFilter = field(default_factory=ChainFilter)
    weights: ScoreWeights = field(default_factory=ScoreWeights)
    sizing: Sizing = field(default_factory=Sizing)
    levels: LevelRules = field(default_factory=LevelRules)
    limits: RiskLimits = field(default_factory=RiskLimits)
    orders: OrderRules = field(default_factory=OrderRules)
    ladder: LadderRules = field(default_factory=LadderRules)
    resting_stop: RestingStopRules = field(default_factory=RestingStopRules)
    budgets: RiskBudgets = field(default_factory=RiskBudgets)
    reentry: ReEntry = field(default_factory=ReEntry)
    profile: str = STANDARD
    profile_of: Mapping[str, str] = field(default_factory=dict)
    profiles: Mapping[str, Profile] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._refuse_risk(self.sizing.risk, "sizing.risk")
        for name in self.profiles:
            if name == STANDARD or name in PRESETS:
                refuse(f"profiles.{name}", "comes with the program: choose another name")
        for key, name in self._chosen():
            if name not in self.profile_names:
                refuse(key, unknown(name, self.profile_names, "profile"))
            if name != STANDARD:
                self._refuse_profile(name, key)

    @property
    def profile_names(self) -> tuple[str, ...]:
        """The profiles that may be chosen."""
        return (STANDARD, *PRESETS, *self.profiles)

    def profile_name(self, strategy: str) -> str:
        """Return the name of a strategy's profile."""
        return self.profile_of.get(strategy, self.profile)

    def profile_named(self, name: str) -> Profile:
        """Return a profile; KeyError for an unknown name."""
        if name == STANDARD:
            return _standard(self.levels.stop, self.levels.reward, self.sizing.risk)
        return PRESETS[name] if name in PRESETS else self.profiles[name]

    def sizing_of(self, profile: Profile) -> Sizing:
        """Return capital and fractions by which a profile's trades are sized."""
        most = profile.max_position or self.sizing.max_position
        if (profile.risk, most) == (self.sizing.risk, self.sizing.max_position):
            return self.sizing
        return replace(self.sizing, risk=profile.risk, max_position=most)

    @property
    def in_use(self) -> Mapping[str, Profile]:
        """The profiles that some strategy trades by, by name."""
        return {name: self.profile_named(name) for _, name in self._chosen()}

    def _chosen(self) -> Iterator[tuple[str, str]]:
        yield "profile", self.profile
        for strategy, name in self.profile_of.items():
            yield f"profile_of.{strategy}", name

    def _refuse_profile(self, name: str, key: str) -> None:
        profile, known = self.profile_named(name), f"profiles.{name}"
        if name in PRESETS:
            known = key
        elif profile.target > _HIGHEST_TARGET:
            percent = f"{profile.target * 100:f}"
            refuse(f"{known}.target", f"means {percent} %: {_HIGHEST_TARGET:f} is the most")
        most = profile.max_position or self.sizing.max_position
        if profile.risk > most:
            refuse(known, f"{name} risks {profile.risk}, more than max_position, {most}")
        if profile.overnight and self.orders.product != "NRML":
            refuse(known, f"{name} holds over night, orders.product {self.orders.product} not")
        self._refuse_risk(profile.risk, f"profile {name}")

    def _refuse_risk(self, risk: Decimal, of: str) -> None:
        limits = self.limits
        for name, limit in (
            ("capital_at_risk", limits.capital_at_risk),
            ("daily_loss", limits.daily_loss),
        ):
            if limit < risk:
                refuse(f"limits.{name}", f"{limit} is less than one trade may risk, {risk} ({of})")


_HIGHEST_TARGET = Decimal(10)


@lru_cache(maxsize=16)
def _standard(stop: Decimal, reward: Decimal, risk: Decimal) -> Profile:
    """Return the profile of the settings; kept, since each decision asks for it."""
    return Profile(stop=stop, target=stop * reward, risk=risk)


Numbers = dict[str, float | str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a signal is not traded, and the numbers that caused it."""

    reason: str
    numbers: Numbers = field(default_factory=dict)
