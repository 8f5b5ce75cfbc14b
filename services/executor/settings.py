"""Settings of the executor, section [executor]."""

from collections.abc import Iterator, Mapping
from datetime import time
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from libs.broker.paper import PaperRules
from libs.events.orders import Mode
from libs.market.bounds import refuse
from libs.market.names import OneOf
from libs.market.time_of_day import TimeSinceLogin
from libs.market.units import Count, Milliseconds
from libs.runtime.access import AccessToken
from libs.runtime.brokers.registry import BrokerName
from libs.runtime.process import ServiceProcess
from libs.runtime.settings import KiteSettings, Section
from services.executor.domain.doctor.addresses import echo_address
from services.executor.domain.entry_limits import ReEntry, RiskBudgets
from services.executor.domain.ladder import LadderRules
from services.executor.domain.policy import (
    CALL_WITHIN_MS,
    ChainFilter,
    EntryFilter,
    LevelRules,
    OrderRules,
    Policy,
    RiskLimits,
    ScoreWeights,
    Sizing,
)
from services.executor.domain.profiles import STANDARD, Profile
from services.executor.domain.resting_stop import RestingStopRules

HOUR_MS = 3_600_000


class ControlSettings(Section):
    """The control endpoints; without tokens they do not exist. `up` adds one of its own."""

    tokens: tuple[AccessToken, ...] = Field((), description="access tokens, by hash")
    per_minute: Annotated[int, Count(1, 1_000_000, of="requests")] = Field(
        30, description="requests per token and minute at most"
    )


class LiveSettings(Section):
    """What is known of the account outside of it, and when the executor examines itself."""

    user_id: str = Field("", description="your own user id at the broker; a real account needs it")
    addresses: tuple[str, ...] = Field(
        (), description="IP addresses that are registered with the broker"
    )
    echo_url: Annotated[str, AfterValidator(echo_address)] = Field(
        "", description="page that replies with the caller's address, as text; empty: none is asked"
    )
    doctor_at: Annotated[time, TimeSinceLogin()] = Field(
        time(9, 0), description="time in India at which a live executor examines itself"
    )


AGED_HOPS = ("exchange", "ingest", "candle", "strategy", "signal")
"""The hops from the tick to the signal, each with a budget of age."""


class AgeSettings(Section):
    """How old what an entry stands on may be at each hop, when the executor decides (ms).

    At a market that is played faster than the machine's time the budgets grow by the pace.
    """

    exchange: Annotated[int, Milliseconds(1000, HOUR_MS)] = Field(
        90_000, description="since the newest tick behind the signal was traded"
    )
    ingest: Annotated[int, Milliseconds(1000, HOUR_MS)] = Field(
        90_000, description="since that tick arrived"
    )
    candle: Annotated[int, Milliseconds(1000, HOUR_MS)] = Field(
        60_000, description="since the candle was closed"
    )
    strategy: Annotated[int, Milliseconds(1000, HOUR_MS)] = Field(
        60_000, description="since the strategy gave its signal"
    )
    signal: Annotated[int, Milliseconds(1000, HOUR_MS)] = Field(
        60_000, description="since the signal was validated"
    )


def _is_empty(given: Mapping[str, object]) -> bool:
    """Whether the setting is left out of the settings' text, which names databases."""
    return not given


class ExecutorSettings(Section):
    """What is traded, how much of it, and how."""

    mode: Annotated[Mode, OneOf()] = Field(
        "logging_only", description="disabled, logging_only, paper or live"
    )
    venue: BrokerName = Field(
        "paper", description="who fills paper orders: paper (the quotes) or simulator (of Kite)"
    )
    entry: EntryFilter = Field(default_factory=EntryFilter, description="which signals trade")
    chain: ChainFilter = Field(default_factory=ChainFilter, description="which contracts")
    weights: ScoreWeights = Field(default_factory=ScoreWeights, description="terms of the score")
    sizing: Sizing = Field(default_factory=Sizing, description="capital and its fractions")
    levels: LevelRules = Field(default_factory=LevelRules, description="stop and target")
    profile: str = Field(
        STANDARD,
        description="standard, ultra_safe, conservative, balanced, aggressive or one of your own",
        exclude_if=lambda name: name == STANDARD,
    )
    profile_of: Mapping[str, str] = Field(
        default_factory=dict,
        description="profiles of single strategies, by strategy",
        exclude_if=_is_empty,
    )
    profiles: Mapping[str, Profile] = Field(
        default_factory=dict,
        description="profiles of your own, by name: docs/profiles.md",
        exclude_if=_is_empty,
    )
    limits: RiskLimits = Field(default_factory=RiskLimits, description="risk limits")
    budgets: RiskBudgets = Field(
        default_factory=RiskBudgets,
        description="risk at once by strategy and by underlying",
        exclude_if=lambda budgets: budgets == RiskBudgets(),
    )
    reentry: ReEntry = Field(
        default_factory=ReEntry,
        description="entries after a stop of the same day",
        exclude_if=lambda reentry: reentry == ReEntry(),
    )
    orders: OrderRules = Field(default_factory=OrderRules, description="how orders are sent")
    ages: AgeSettings = Field(default_factory=AgeSettings, description="ages of the data")
    ladder: LadderRules = Field(
        default_factory=LadderRules, description="how an exit is repriced until it fills"
    )
    resting_stop: RestingStopRules = Field(
        default_factory=RestingStopRules, description="the stop order at the exchange"
    )
    live: LiveSettings = Field(LiveSettings(), description="what live trading and doctor need")
    control: ControlSettings = Field(ControlSettings(), description="who may halt and resume")
    paper: PaperRules = Field(default_factory=PaperRules, description="fills in paper mode")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self.policy()  # which compares its parts
        return self

    @property
    def venue_name(self) -> str:
        """The broker's name in the registry: outside live mode Kite means its simulator."""
        return "simulator" if self.venue == "kite" and self.mode != "live" else self.venue

    @property
    def expiries_needed(self) -> int:
        """How many of an underlying's nearest expiries hold the preferred one, or the next."""
        return self.chain.expiries_needed + (self.entry.near_expiry == "next")

    def policy(self) -> Policy:
        """Return the rules for the domain."""
        return Policy(
            entry=self.entry,
            chain=self.chain,
            weights=self.weights,
            sizing=self.sizing,
            levels=self.levels,
            limits=self.limits,
            orders=self.orders,
            ladder=self.ladder,
            resting_stop=self.resting_stop,
            budgets=self.budgets,
            reentry=self.reentry,
            profile=self.profile,
            profile_of=self.profile_of,
            profiles=self.profiles,
        )


def short_doubt(executor: ExecutorSettings, kite: KiteSettings) -> Iterator[str]:
    """Yield why `orders.doubt_ms` is too short, if a request may take longer than it."""
    request_ms = CALL_WITHIN_MS + 1000 * kite.timeout_seconds
    doubt_ms = executor.orders.doubt_ms
    if executor.venue != "paper" and doubt_ms <= request_ms:
        yield (
            f"{doubt_ms} ends before a request does, which may begin {CALL_WITHIN_MS} ms after its "
            f"acknowledgement and take kite.timeout_seconds: write more than {request_ms:.0f}"
        )


class ExecutorProcess(ServiceProcess):
    """What `python -m services.executor` reads."""

    executor: ExecutorSettings = ExecutorSettings()
    kite: KiteSettings = KiteSettings()

    @model_validator(mode="after")
    def _doubts_outlast_requests(self) -> Self:
        for why in short_doubt(self.executor, self.kite):
            refuse("executor.orders.doubt_ms", why)
        return self
