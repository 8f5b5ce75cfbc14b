"""What the endpoints of the position service reply; money is text in rupees."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, PlainSerializer

from libs.events.orders import Mode
from services.position.asked import place_of, text_of
from services.position.domain.results import GROUPS, Results, grouped_results, results_of
from services.position.domain.trades import Trade


def _plain(amount: Decimal) -> str:
    """Return an amount with two decimals, without an exponent."""
    return f"{amount:.2f}"


Rupees = Annotated[Decimal, PlainSerializer(_plain, return_type=str)]


class TradeReply(BaseModel):
    """An opening of a position. Prices are rupees a unit, quantities units."""

    position_id: UUID
    opening: int = Field(description="how often it had been opened; late fills open it again")
    signal_id: UUID
    trading_day: date = Field(description="of its last fill or mark")
    strategy: str
    underlying: str
    profile: str
    exchange: str
    tradingsymbol: str
    action: Literal["BUY", "SELL"] = Field(description="of the signal")
    mode: Mode
    quantity: int = Field(description="held now; negative: oversold")
    bought_quantity: int
    sold_quantity: int
    lots: float | None = Field(description="traded; null where it was not stored")
    entry_price: Rupees
    exit_price: Rupees | None
    last_price: Rupees
    stop_loss: Rupees
    target: Rupees
    realised: Rupees = Field(description="before charges")
    unrealised: Rupees = Field(description="before charges, at the last price")
    charges: Rupees = Field(description="of its orders, each rounded as on the contract note")
    net: Rupees = Field(description="realised less charges")
    favourable: Rupees | None = Field(description="the farthest it rose above the price paid (MFE)")
    adverse: Rupees | None = Field(description="the farthest it fell below the price paid (MAE)")
    entry_slippage: Rupees | None = Field(description="positive is worse; null: not known")
    exit_slippage: Rupees | None
    opened_at: datetime
    closed_at: datetime | None
    exit_reason: str | None

    @classmethod
    def of(cls, trade: Trade) -> Self:
        """Return the reply for a trade."""
        names = [name for name in cls.model_fields if name not in ("favourable", "adverse")]
        return cls(
            **{name: getattr(trade, name) for name in names},
            favourable=trade.in_rupees(trade.favourable),
            adverse=trade.in_rupees(trade.adverse),
        )


class OpenReply(BaseModel):
    """The open positions, the first opened first, at their latest prices."""

    positions: list[TradeReply]
    unrealised: Rupees = Field(description="of all of them, before charges")


class PageReply(BaseModel):
    """Closed positions, the latest first."""

    positions: list[TradeReply]
    next: str | None = Field(description="`before` of the page that follows; null: this is the end")


class ResultsReply(BaseModel):
    """What closed positions came to; null: not defined. `drawdown` is a positive amount."""

    trades: int
    wins: int
    win_rate: float | None
    net: Rupees
    realised: Rupees
    charges: Rupees
    charges_share: float | None = Field(description="charges over the profit before them")
    profit_factor: float | None
    expectancy: Rupees | None = Field(description="the mean net of a position")
    average_win: Rupees | None
    average_loss: Rupees | None
    drawdown: Rupees
    slippage: Rupees | None = Field(description="of those `slippage_known` that have it")
    slippage_known: int
    average_seconds: float | None

    @classmethod
    def of(cls, results: Results) -> Self:
        """Return the reply for results."""
        return cls(**asdict(results))


class DayReply(BaseModel):
    """The result of a day: closed positions, and what is open at its end, or now."""

    day: date
    closed: ResultsReply
    open_positions: int
    open_net: Rupees = Field(description="realised by parts of open positions, less their charges")
    unrealised: Rupees = Field(description="of open positions, before charges")
    total: Rupees = Field(description="all of these together")
    by: dict[str, dict[str, ResultsReply]] = Field(
        description="closed positions by strategy, underlying, hour of entry, profile and reason"
    )


def open_of(trades: Sequence[Trade]) -> OpenReply:
    """Return the open positions."""
    ordered = sorted(trades, key=lambda one: (one.opened_at, str(one.position_id)))
    return OpenReply(
        positions=[TradeReply.of(one) for one in ordered],
        unrealised=_sum(one.unrealised for one in trades),
    )


def page_of(trades: Sequence[Trade], limit: int) -> PageReply:
    """Return a page of at most `limit` trades; one more says that a page follows."""
    shown = trades[:limit]
    return PageReply(
        positions=[TradeReply.of(one) for one in shown],
        next=text_of(place_of(shown[-1])) if len(trades) > limit else None,
    )


def day_of(day: date, closed: Sequence[Trade], still: Sequence[Trade]) -> DayReply:
    """Return the result of a day."""
    results, net = results_of(closed), _sum(one.net for one in still)
    unrealised = _sum(one.unrealised for one in still)
    return DayReply(
        day=day,
        closed=ResultsReply.of(results),
        open_positions=len(still),
        open_net=net,
        unrealised=unrealised,
        total=results.net + net + unrealised,
        by={name: _grouped(closed, name) for name in GROUPS if name != "day"},
    )


def _grouped(closed: Sequence[Trade], name: str) -> dict[str, ResultsReply]:
    groups = grouped_results(closed, GROUPS[name])
    return {group: ResultsReply.of(one) for group, one in groups.items()}


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))
