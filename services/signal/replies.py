"""What the endpoints of the signal service reply."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from libs.events.event import ms_from_utc
from libs.events.signals import Action
from services.signal.domain.life import Life, State, Step


class StepReply(BaseModel):
    """A state that the signal reached: when, why, by which numbers."""

    state: State
    at: datetime
    reason: str
    numbers: dict[str, float | str]


class SignalReply(BaseModel):
    """A signal and how far it got; prices of the underlying, null for one that did not pass."""

    signal_id: UUID
    trading_day: date
    at: datetime = Field(description="when its candle closed")
    strategy: str
    underlying: str
    tradingsymbol: str
    action: Action
    price: float | None
    stop_loss: float | None
    target: float | None
    confidence: float | None = Field(description="0 to 1")
    state: State
    reason: str = Field(description="of the state")


class LifeReply(SignalReply):
    """A signal with its whole life."""

    steps: list[StepReply]
    refused: list[StepReply] = Field(
        description="what events claimed that cannot follow its state, an end after its end say"
    )


class PageReply(BaseModel):
    """Signals of a day, the newest first."""

    day: date | None = Field(description="null before the first signal")
    signals: list[SignalReply]
    next: str | None = Field(description="`before` of the page that follows; null: this is the end")


def page_of(day: date | None, lives: Iterable[Life], limit: int) -> PageReply:
    """Return a page of at most `limit` of the lives; one more says that a page follows."""
    found = list(lives)
    shown = found[:limit]
    return PageReply(
        day=day,
        signals=[SignalReply(**_summary(life)) for life in shown],
        next=place_of(shown[-1]) if len(found) > limit else None,
    )


def life_of(life: Life) -> LifeReply:
    """Return the whole life of a signal."""
    steps, refused = map(_steps, (life.reached, life.refused))
    return LifeReply(**_summary(life), steps=steps, refused=refused)


def place_of(life: Life) -> str:
    """Return the place of a signal in the order of pages."""
    return f"{ms_from_utc(life.began_at)}-{life.signal_id}"


def _summary(life: Life) -> dict[str, Any]:
    levels = life.levels
    return {
        "signal_id": life.signal_id,
        "trading_day": life.trading_day,
        "at": life.began_at,
        "strategy": life.strategy,
        "underlying": life.underlying,
        "tradingsymbol": life.tradingsymbol,
        "action": life.action,
        "price": levels and levels.price,
        "stop_loss": levels and levels.stop_loss,
        "target": levels and levels.target,
        "confidence": levels and levels.confidence,
        "state": life.state,
        "reason": life.reason,
    }


def _steps(steps: Iterable[Step]) -> list[StepReply]:
    return [
        StepReply(state=one.state, at=one.at, reason=one.reason, numbers=one.numbers)
        for one in steps
    ]
