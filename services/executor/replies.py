"""What the control endpoints are asked and what they reply; money is text in rupees."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, PlainSerializer

from libs.events.control import Action, ChangeableMode
from libs.events.event import utc_from_ms
from libs.events.orders import Mode
from services.executor.domain.doctor.finding import Finding, is_well
from services.executor.domain.doctor.finding import State as FoundState
from services.executor.domain.live.arming import ArmingView
from services.executor.domain.overview import OpenPosition, Overview


def _plain(amount: Decimal) -> str:
    """Return an amount with two decimals, without an exponent."""
    return f"{amount:.2f}"


Rupees = Annotated[Decimal, PlainSerializer(_plain, return_type=str)]


class Reasoned(BaseModel):
    """The body of a request."""

    reason: str = Field("", max_length=200, description="why; it is recorded with the event")


class HaltAsked(Reasoned):
    """A halt, and whether every open position is closed too.

    For `stand_down_seconds` no order is sent at all, since somebody else closes the account.
    """

    square_off: bool = False
    stand_down_seconds: float = Field(0, ge=0, le=60)


class ModeAsked(Reasoned):
    """The mode of the executor from now on."""

    mode: ChangeableMode


class ArmAsked(Reasoned):
    """An arming: until when today, how many positions, how large; the first time a sentence."""

    until: time = Field(description="a time of today in India")
    trades: int | None = Field(None, ge=1, description="positions that it may open; null: no limit")
    lots_a_trade: int | None = Field(None, ge=1, description="null: as the settings say")
    sentence: str = Field("", description="of `arming` in the state; only the first time")


class Answer(BaseModel):
    """What was done; `positions` is the number to be closed."""

    action: Action
    positions: int = 0


class ArmingState(BaseModel):
    """Whether live entries may be sent; null without an arming or a limit of its own."""

    until: AwareDatetime | None = None
    by: str = Field("", description="the name of the token")
    trades_left: int | None = None
    lots_a_trade: int | None = None
    why_not: str = Field("", description="why it is not armed; empty: it is")
    sentence: str = Field("", description="to be typed at the first arming; empty: none")


class Line(BaseModel):
    """A line of the doctor."""

    check: str
    state: FoundState
    reason: str = Field(description="what is so")
    action: str = Field(description="what to do about it; empty: nothing")


class Examined(BaseModel):
    """What the doctor has found; live is not armed while a line has failed."""

    is_well: bool
    lines: list[Line]


def examined(findings: Sequence[Finding]) -> Examined:
    """Return the reply for what was found."""
    lines = [Line(**asdict(one)) for one in findings]
    return Examined(is_well=is_well(findings), lines=lines)


class Count(BaseModel):
    """How much of a limit is used."""

    used: int
    limit: int


class Amount(BaseModel):
    """How many rupees of a limit are used."""

    used: Rupees
    limit: Rupees


class UsedLimits(BaseModel):
    """The limits of [executor] limits and what is used of them."""

    capital_at_risk: Amount = Field(description="rupees lost if every stop is hit")
    daily_loss: Amount = Field(description="of positions closed today, after charges")
    losses_in_a_row: Count
    trades_a_day: Count
    positions: Count = Field(description="entries in flight included")


class PositionState(BaseModel):
    """An open position; prices in rupees, quantities in units; null is unknown."""

    position_id: UUID
    strategy: str
    mode: Mode
    action: Literal["BUY", "SELL"] = Field(description="the signal's; the option is always bought")
    underlying: str
    tradingsymbol: str = Field(description="of the contract")
    lots: float = Field(description="a fraction while fills are parts of a lot")
    quantity: int
    selling: int = Field(description="units in exits under way")
    average_price: Rupees
    last_price: Rupees | None = Field(description="of the latest quote")
    quoted_at: AwareDatetime | None = Field(description="time of the latest quote")
    unrealised: Rupees | None = Field(description="at the last price, before charges")
    stop_loss: Rupees
    target: Rupees
    at_risk: Rupees | None = Field(description="lost at the stop, with what is still being bought")


class State(BaseModel):
    """What the executor knows now; money in rupees; null is unknown."""

    at: AwareDatetime | None = Field(description="the executor's clock; null: not started")
    mode: Mode
    settings_mode: Mode = Field(description="the mode of the settings, before any change")
    halted_because: str | None = Field(description="why no position is opened; null: not halted")
    trading_day: date | None = Field(description="the day that is counted; null before the first")
    capital: Rupees
    realised: Rupees = Field(description="of positions closed today, after charges")
    closed_positions: int = Field(description="today")
    unrealised: Rupees | None = Field(description="of open positions, before charges")
    limits: UsedLimits
    working_orders: int
    orders_in_doubt: int = Field(description="sent, and not seen at the broker")
    open_positions: int
    positions: list[PositionState]
    arming: ArmingState = Field(default_factory=ArmingState, description="of live trading")


def state_of(now: Overview) -> State:
    """Return the reply for what the executor knows."""
    return State(
        at=_time(now.at_ms),
        mode=now.mode,
        settings_mode=now.settings_mode,
        halted_because=now.halted_because,
        trading_day=now.day,
        capital=now.capital,
        realised=now.result.net,
        closed_positions=now.result.closed,
        unrealised=now.unrealised,
        limits=_used(now),
        working_orders=now.working,
        orders_in_doubt=now.in_doubt,
        open_positions=len(now.positions),
        positions=[_position(one) for one in now.positions],
        arming=_arming(now.arming),
    )


def _arming(now: ArmingView) -> ArmingState:
    armed = now.armed
    return ArmingState(
        until=armed.until if armed else None,
        by=armed.by if armed else "",
        trades_left=now.trades_left,
        lots_a_trade=armed.lots_a_trade if armed else None,
        why_not=now.why_not,
        sentence=now.sentence or "",
    )


def _used(now: Overview) -> UsedLimits:
    limits, result = now.limits, now.result
    at_risk, loss = now.capital * limits.capital_at_risk, now.capital * limits.daily_loss
    return UsedLimits(
        capital_at_risk=Amount(used=now.at_risk, limit=at_risk),
        daily_loss=Amount(used=result.loss, limit=loss),
        losses_in_a_row=Count(used=result.losses_in_a_row, limit=limits.losses_in_a_row),
        trades_a_day=Count(used=result.trades, limit=limits.trades_a_day),
        positions=Count(used=now.exposed, limit=limits.positions),
    )


def _position(one: OpenPosition) -> PositionState:
    entry = one.entry
    return PositionState(
        position_id=entry.position_id,
        strategy=entry.strategy,
        mode=entry.mode,
        action=entry.action,
        underlying=entry.contract.underlying,
        tradingsymbol=entry.contract.tradingsymbol,
        lots=one.quantity / entry.contract.lot_size,
        quantity=one.quantity,
        selling=one.selling,
        average_price=one.average_price,
        last_price=one.last_price,
        quoted_at=_time(one.quoted_ms),
        unrealised=one.unrealised,
        stop_loss=entry.stop_loss,
        target=entry.target,
        at_risk=one.at_risk,
    )


def _time(at_ms: int | None) -> datetime | None:
    return utc_from_ms(at_ms) if at_ms else None
