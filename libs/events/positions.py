"""Positions, requests to exit them, and performance."""

from decimal import Decimal
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from libs.events.control import ControlEvent
from libs.events.event import Event, Told
from libs.events.exit_plan import ExitPlan
from libs.events.instruments import Contract
from libs.events.orders import Mode, OrderFilled

ExitReason = Literal[
    "stop_loss",
    "target",
    "trailing_stop",
    "square_off",
    "expiry",
    "holding_time",
    "manual",
    "kill_switch",
    "booking",
    "stop_to_cost",
    "opposite_signal",
    "daily_loss",
    "daily_profit",
    "strategy_daily_loss",
    "strategy_daily_profit",
    "flattened",
]


def fill_key(fill: OrderFilled) -> str:
    """Return what identifies a fill: the exchange's ids begin anew each day and on each exchange.

    `day/exchange/order at the broker/fill`.
    """
    day, exchange = fill.trading_day.isoformat(), fill.contract.exchange
    return "/".join((day, exchange, fill.broker_order_id, fill.fill_id))


class PositionEvent(Event):
    """The whole state of a position. Money in rupees; `quantity` is what is held, in units.

    It is negative where more was sold than held. `entry_price` is the average price paid, from
    which `stop_loss` and `target` keep the distances that the plan gave them. `realised` and
    `unrealised` are before charges, `net` is realised less charges. `last_price` is the valuation;
    `highest_price` and `lowest_price` are the extremes since the opening that the stop saw.
    `fill_ids` are `fill_key`s, those of earlier openings included; `openings` counts how often a
    late fill opened it again. `exit_plan` is the entry's, its prices moved like the levels. Once
    `stop_loss` has been lifted, `planned_stop` says where it lay. `part_filled` has the value so
    far, in rupees, of orders that were not filled whole, by id: charges are rounded per order.
    `entry_slippage` and `exit_slippage` are what all purchases and all sales cost against the
    prices that were decided on, rupees, positive is worse; None where one of these is not known.
    """

    position_id: UUID
    signal_id: UUID
    strategy: str
    underlying: str
    action: Literal["BUY", "SELL"]
    tradingsymbol: str
    contract: Contract
    mode: Mode
    quantity: int
    bought_quantity: int
    sold_quantity: int
    buy_value: Decimal
    sell_value: Decimal
    entry_price: Decimal
    exit_price: Decimal | None
    last_price: Decimal
    highest_price: Decimal
    lowest_price: Decimal
    stop_loss: Decimal
    target: Decimal
    realised: Decimal
    unrealised: Decimal
    charges: Decimal
    charges_are_exact: bool
    net: Decimal
    opened_at: AwareDatetime
    closed_at: AwareDatetime | None = None
    exit_reason: ExitReason | None = None
    fill_ids: tuple[str, ...]
    order_ids: tuple[UUID, ...]
    openings: int = 1
    exit_plan: ExitPlan | None = Field(None, exclude_if=lambda plan: plan is None)
    planned_stop: Decimal | None = Field(None, exclude_if=lambda stop: stop is None)

    @property
    def stop_reason(self) -> ExitReason:
        """Why a sale at `stop_loss` closes it: the entry's stop, one at cost, or one that trails.

        A stop at cost is the price paid, rounded up to the tick grid.
        """
        if self.planned_stop is None:
            return "stop_loss"
        above = self.stop_loss - self.entry_price
        may_be_cost = self.exit_plan is None or self.exit_plan.cost_after is not None
        is_at_cost = may_be_cost and 0 <= above < self.contract.tick_size
        return "stop_to_cost" if is_at_cost else "trailing_stop"

    part_filled: dict[str, Decimal] = Field(
        default_factory=dict, exclude_if=lambda values: not values
    )
    entry_slippage: Decimal | None = Field(None, exclude_if=lambda amount: amount is None)
    exit_slippage: Decimal | None = Field(None, exclude_if=lambda amount: amount is None)

    def told(self) -> Told:
        """Return what is held, or was, with its prices and its result, rupees."""
        return {
            "contract": self.contract.tradingsymbol,
            "lots": self.quantity / self.contract.lot_size,
            "entry_price": float(self.entry_price),
            "exit_price": None if self.exit_price is None else float(self.exit_price),
            "stop_loss": float(self.stop_loss),
            "target": float(self.target),
            "net": float(self.net),
            "exit_reason": self.exit_reason,
            "strategy": self.strategy,
        }


class PositionOpened(PositionEvent):
    """The first fill of an entry, or a late fill after the closing."""

    type: Literal["PositionOpened"] = "PositionOpened"


class PositionUpdated(PositionEvent):
    """A further fill, or a new mark."""

    type: Literal["PositionUpdated"] = "PositionUpdated"


class PositionClosed(PositionEvent):
    """The last unit was sold, or bought back."""

    type: Literal["PositionClosed"] = "PositionClosed"


class ExitRequested(Event):
    """A request to sell a position, or `lots` of it; the executor decides the quantity.

    `step` tells the bookings of a position apart, from 0 on. `price` is what the rule saw, rupees.
    """

    type: Literal["ExitRequested"] = "ExitRequested"
    position_id: UUID
    signal_id: UUID
    reason: ExitReason
    lots: int | None = None
    step: int | None = Field(None, exclude_if=lambda step: step is None)
    price: Decimal | None = Field(None, exclude_if=lambda price: price is None)

    def told(self) -> Told:
        """Return why, and how many lots (None: all)."""
        return {"reason": self.reason, "lots": self.lots}


Alert = Literal["unguarded", "expired", "calendar_ends", "oversold", "over_night"]


class PositionAlerted(ControlEvent):
    """A position that needs a person: what is wrong with it, in a word and in `reason`."""

    type: Literal["PositionAlerted"] = "PositionAlerted"
    position_id: UUID
    contract: str
    alert: Alert

    def told(self) -> Told:
        """Return the contract, what is wrong, and why."""
        return {**super().told(), "contract": self.contract, "alert": self.alert}


class PerformanceMeasured(Event):
    """Result of a strategy on an underlying in the trading day so far, after charges (rupees).

    `profit_factor` is gross profit over gross loss, None without a loss; `drawdown` is the
    largest fall of the cumulative net from its peak, a positive number.
    """

    type: Literal["PerformanceMeasured"] = "PerformanceMeasured"
    strategy: str
    underlying: str
    trades: int
    wins: int
    win_rate: float
    average: Decimal
    profit_factor: float | None
    drawdown: Decimal
    net: Decimal

    def told(self) -> Told:
        """Return the strategy's closed positions and their net, rupees."""
        return {
            "strategy": self.strategy,
            "underlying": self.underlying,
            "trades": self.trades,
            "net": float(self.net),
        }
