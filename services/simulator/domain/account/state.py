"""Everything an account must remember, as one value that goes to JSON and back."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from services.simulator.domain.account.order import Fill, Order
from services.simulator.domain.account.positions import Holding, Position


@dataclass(slots=True)
class AccountState:
    """An account's memory; `used_quotes` has the time of the last quote used by token.

    `funds` are the rupees with which the day began; `squared_off` the exchanges whose MIS
    positions the broker has closed today; `exchange_trades` the fills of today by exchange, which
    number them where `trades_by_exchange` says so.
    """

    user_id: str
    trading_day: date
    funds: Decimal
    orders: dict[str, Order] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    positions: dict[str, Position] = field(default_factory=dict)
    holdings: dict[str, Holding] = field(default_factory=dict)
    order_count: int = 0
    trade_count: int = 0
    exchange_count: int = 0
    trades_by_exchange: bool = False
    exchange_trades: dict[str, int] = field(default_factory=dict)
    used_quotes: dict[int, int] = field(default_factory=dict)
    squared_off: list[str] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)


@cache
def _adapter() -> TypeAdapter[AccountState]:
    return TypeAdapter(AccountState)


def to_json(state: AccountState) -> dict[str, Any]:
    """Return the state in values that JSON knows; amounts as text, so that they stay exact."""
    dumped: dict[str, Any] = _adapter().dump_python(state, mode="json")
    return dumped


def from_json(dumped: dict[str, Any]) -> AccountState:
    """Return the state of `to_json`; raises ValueError for anything else."""
    return _adapter().validate_python(dumped)


def begin_day(state: AccountState, trading_day: date, listed: Mapping[str, int]) -> AccountState:
    """Carry a state over to a later day: positions become overnight ones, shares holdings.

    Of the orders only after-market ones that wait stay; `listed` has the day's tokens by key such
    as `NFO:NIFTY26JUN25000CE`, and what is not listed any more is gone.
    """
    positions = [p for p in state.positions.values() if f"{p.exchange}:{p.tradingsymbol}" in listed]
    carried = [_overnight(position) for position in positions if position.product != "CNC"]
    delivered = [position for position in state.positions.values() if position.product == "CNC"]
    return AccountState(
        user_id=state.user_id,
        trading_day=trading_day,
        funds=state.funds + _booked(state),
        orders=_waiting(state.orders, listed),
        positions={f"{p.exchange}:{p.tradingsymbol}:{p.product}": p for p in carried if p.quantity},
        holdings=_with_deliveries(state.holdings, delivered),
        trades_by_exchange=state.trades_by_exchange,
    )


def _waiting(orders: Mapping[str, Order], listed: Mapping[str, int]) -> dict[str, Order]:
    waiting = {}
    for order_id, order in orders.items():
        token = listed.get(f"{order.exchange}:{order.tradingsymbol}")
        if order.status == "AMO REQ RECEIVED" and token is not None:
            waiting[order_id] = replace(order, instrument_token=token)
    return waiting


def _booked(state: AccountState) -> Decimal:
    """Rupees that the day's closed positions and deliveries brought."""
    brought = Decimal(0)
    for position in state.positions.values():
        is_delivery = position.product == "CNC"
        delivered = position.sell_value - position.buy_value
        brought += delivered if is_delivery else position.realised
    return brought


def _overnight(position: Position) -> Position:
    return Position(
        exchange=position.exchange,
        tradingsymbol=position.tradingsymbol,
        product=position.product,
        overnight_quantity=position.quantity,
        overnight_price=position.average_price,
    )


def _with_deliveries(holdings: dict[str, Holding], delivered: list[Position]) -> dict[str, Holding]:
    after = dict(holdings)
    for position in delivered:
        key = f"{position.exchange}:{position.tradingsymbol}"
        held = after.get(key, Holding(position.exchange, position.tradingsymbol, 0, Decimal(0)))
        after[key] = _delivered(held, position)
    return {key: holding for key, holding in after.items() if holding.quantity > 0}


def _delivered(held: Holding, position: Position) -> Holding:
    quantity = held.quantity + position.quantity
    if position.quantity <= 0:
        return Holding(held.exchange, held.tradingsymbol, quantity, held.average_price)
    value = held.quantity * held.average_price + position.quantity * position.average_price
    return Holding(held.exchange, held.tradingsymbol, quantity, value / quantity)
