"""The executor's rules: filters, weights, sizes and limits, with their defaults."""

from dataclasses import dataclass, field
from datetime import time
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which signals may trade. `expected_move` in percent; no underlyings: all of them.

    `max_age_seconds` None means two intervals of the signal's candle. `last_entry` is the time
    in India from which no position is opened: keep it before the positions' square-off. On
    a day that closes earlier (Muhurat trading, say) it is `before_close_ms` before the close.
    """

    min_confidence: float = 0.6
    min_expected_move: float = 1.0
    max_age_seconds: int | None = None
    underlyings: tuple[str, ...] = ()
    last_entry: time = time(15, 0)
    before_close_ms: int = 30 * 60_000


@dataclass(frozen=True, slots=True)
class ChainFilter:
    """Which contracts may be traded. Volume and open interest in units, spread of the premium."""

    expiry: Literal["weekly", "monthly"] = "weekly"
    strikes_from_atm: int = 3
    min_volume: int = 100
    min_oi: int = 1000
    max_spread: float = 0.05
    quote_budget_ms: int = 15_000
    rate: float = 0.06


@dataclass(frozen=True, slots=True)
class ScoreWeights:
    """Weight of each term of the score; they need not add up to 1."""

    distance: float = 0.30
    delta: float = 0.20
    volatility: float = 0.15
    liquidity: float = 0.25
    spread: float = 0.10


@dataclass(frozen=True, slots=True)
class Sizing:
    """Rupees of capital, and the fractions of it that one position may risk and cost."""

    capital: Decimal = Decimal(1_000_000)
    risk: Decimal = Decimal("0.02")
    max_position: Decimal = Decimal("0.10")


@dataclass(frozen=True, slots=True)
class LevelRules:
    """Profile `standard`: stop as a fraction of the premium, target `reward` times as far."""

    stop: Decimal = Decimal("0.30")
    reward: Decimal = Decimal("2.0")


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Fractions are of the capital; counts are per trading day unless they say otherwise."""

    positions: int = 3
    capital_at_risk: Decimal = Decimal("0.15")
    daily_loss: Decimal = Decimal("0.05")
    losses_in_a_row: int = 3
    trades_a_day: int = 20
    lots_a_trade: int = 5
    positions_per_underlying: int = 1


@dataclass(frozen=True, slots=True)
class OrderRules:
    """How orders are sent. `limit_buffer`: how far an entry's limit lies beyond the ask.

    An order that has not filled by its timeout is cancelled; an exit is then sent again, since a
    market order with protection may not fill. An order that is not in the broker's book is in
    doubt for `doubt_ms`, longer than a request can take; 0 where no request can be under way.
    """

    product: Literal["NRML", "MIS"] = "NRML"
    limit_buffer: Decimal = Decimal("0.01")
    entry_timeout_ms: int = 60_000
    exit_timeout_ms: int = 15_000
    exit_retry_ms: int = 5_000
    doubt_ms: int = 15_000


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that decides what is traded."""

    entry: EntryFilter = field(default_factory=EntryFilter)
    chain: ChainFilter = field(default_factory=ChainFilter)
    weights: ScoreWeights = field(default_factory=ScoreWeights)
    sizing: Sizing = field(default_factory=Sizing)
    levels: LevelRules = field(default_factory=LevelRules)
    limits: RiskLimits = field(default_factory=RiskLimits)
    orders: OrderRules = field(default_factory=OrderRules)


Numbers = dict[str, float | str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a signal is not traded, and the numbers that caused it."""

    reason: str
    numbers: Numbers = field(default_factory=dict)
