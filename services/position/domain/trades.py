"""A trade: one opening of a position from its entry to its exit, and what it came to."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, Self
from uuid import UUID

from libs.events.orders import Leg, Mode
from libs.events.positions import ExitReason, PositionEvent
from services.position.domain.booked import BookedFill

STANDARD = "standard"
"""The profile of a position without an exit plan."""
AT_LEVEL = ("stop_loss", "target")
"""Exits whose rule was met at a level; where nothing else is known, the level was decided on."""
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Trade:
    """An opening of a position. Money in rupees, prices in rupees a unit, quantities in units.

    `realised` and `unrealised` are before charges. `highest_price` and `lowest_price` are None
    where they were not stored, a slippage where the decision's price is not known; positive
    slippage is worse. `trading_day` is that of the last event.
    """

    position_id: UUID
    opening: int
    signal_id: UUID
    trading_day: date
    strategy: str
    underlying: str
    profile: str
    exchange: str
    tradingsymbol: str
    action: Literal["BUY", "SELL"]
    mode: Mode
    lot_size: int
    quantity: int
    bought_quantity: int
    sold_quantity: int
    entry_price: Decimal
    exit_price: Decimal | None
    last_price: Decimal
    highest_price: Decimal | None
    lowest_price: Decimal | None
    stop_loss: Decimal
    target: Decimal
    realised: Decimal
    unrealised: Decimal
    charges: Decimal
    opened_at: datetime
    closed_at: datetime | None
    exit_reason: ExitReason | None
    entry_slippage: Decimal | None = None
    exit_slippage: Decimal | None = None

    @classmethod
    def of(cls, event: PositionEvent) -> Self:
        """Return the trade of a position's last event."""
        plan, contract = event.exit_plan, event.contract
        return cls(
            position_id=event.position_id,
            opening=event.openings,
            signal_id=event.signal_id,
            trading_day=event.trading_day,
            strategy=event.strategy,
            underlying=event.underlying,
            profile=plan.profile if plan else STANDARD,
            exchange=contract.exchange,
            tradingsymbol=contract.tradingsymbol,
            action=event.action,
            mode=event.mode,
            lot_size=contract.lot_size,
            quantity=event.quantity,
            bought_quantity=event.bought_quantity,
            sold_quantity=event.sold_quantity,
            entry_price=event.entry_price,
            exit_price=event.exit_price,
            last_price=event.last_price,
            highest_price=event.highest_price,
            lowest_price=event.lowest_price,
            stop_loss=event.stop_loss,
            target=event.target,
            realised=event.realised,
            unrealised=event.unrealised,
            charges=event.charges,
            opened_at=event.opened_at,
            closed_at=event.closed_at,
            exit_reason=event.exit_reason,
            entry_slippage=event.entry_slippage,
            exit_slippage=event.exit_slippage,
        )

    @property
    def is_open(self) -> bool:
        """Whether something is held, or was oversold."""
        return self.closed_at is None

    @property
    def net(self) -> Decimal:
        """What was realised, less charges."""
        return self.realised - self.charges

    @property
    def lots(self) -> float | None:
        """The lots that were traded; None where the lot was not stored."""
        traded = max(self.bought_quantity, self.sold_quantity)
        return traded / self.lot_size if self.lot_size else None

    @property
    def seconds(self) -> float | None:
        """From the first fill to the last one; None while it is open."""
        return (self.closed_at - self.opened_at).total_seconds() if self.closed_at else None

    @property
    def favourable(self) -> Decimal | None:
        """The farthest the price rose above the price paid, rupees a unit (MFE)."""
        return _excursion(self.highest_price, self.entry_price, 1)

    @property
    def adverse(self) -> Decimal | None:
        """The farthest the price fell below the price paid, rupees a unit (MAE)."""
        return _excursion(self.lowest_price, self.entry_price, -1)

    @property
    def slippage(self) -> Decimal | None:
        """Slippage of entry and exit together, as far as known."""
        known = [one for one in (self.entry_slippage, self.exit_slippage) if one is not None]
        return sum(known, _NOTHING) if known else None

    def in_rupees(self, excursion: Decimal | None) -> Decimal | None:
        """Return an excursion of a unit for everything that was bought."""
        return None if excursion is None else excursion * self.bought_quantity

    def as_fraction(self, excursion: Decimal | None) -> float | None:
        """Return an excursion of a unit over the price paid."""
        return float(excursion / self.entry_price) if excursion and self.entry_price else None


def with_slippage(trade: Trade, fills: Iterable[BookedFill]) -> Trade:
    """Return the trade with its slippage by its fills where its events do not tell it.

    An exit at stop loss or target whose decided price is not told is measured from the level, if
    its profile books nothing before.
    """
    level = _level(trade)
    told = [
        replace(one, decided_price=level)
        if one.leg == "exit" and one.decided_price is None and level
        else one
        for one in fills
    ]
    entry, exit_ = trade.entry_slippage, trade.exit_slippage
    return replace(
        trade,
        entry_slippage=_sum(told, "entry") if entry is None else entry,
        exit_slippage=_sum(told, "exit") if exit_ is None else exit_,
    )


def _level(trade: Trade) -> Decimal | None:
    if trade.exit_reason not in AT_LEVEL or trade.profile != STANDARD:
        return None
    return trade.stop_loss if trade.exit_reason == "stop_loss" else trade.target


def _sum(fills: Iterable[BookedFill], leg: Leg) -> Decimal | None:
    known = [one.slippage for one in fills if one.leg == leg]
    if not known or any(one is None for one in known):
        return None
    return sum((one for one in known if one is not None), _NOTHING)


def _excursion(price: Decimal | None, entry: Decimal, sign: int) -> Decimal | None:
    return None if price is None else max(sign * (price - entry), _NOTHING)
