"""The protections of the order path, each of which can be taken out to see what it is for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any
from uuid import UUID

from libs.broker.errors import BrokerError, OrderNotSent, OrderRefused
from libs.broker.port import ContractState, MaySend
from libs.events.orders import OrderFilled, OrderPlanned
from services.executor.domain.blotter import Blotter, Holding
from services.executor.domain.broker_replies import Accepted, NotSent, Refused, Reply
from services.executor.domain.closing import Closing
from services.executor.domain.commands import CancelOrder, PlaceOrder
from services.executor.domain.order import Order
from services.executor.handler import ExecutorHandler, Lease
from services.executor.order_desk import OrderDesk
from services.position.domain import open_positions, states

PLENTY = 10**9


@contextmanager
def without_the_look_up() -> Iterator[None]:
    """Take a lost reply for an order that was not sent."""

    async def place(desk: Any, asked: PlaceOrder, may_send: MaySend) -> Reply:
        try:
            placed = await desk._venue.place(asked.order.request(), may_send)
        except OrderRefused as refused:
            return Refused(asked.order, str(refused))
        except OrderNotSent as unsent:
            return NotSent(asked.order, str(unsent), unsent.retry_after_ms)
        except BrokerError as lost:
            return NotSent(asked.order, str(lost))
        return Accepted(asked.order, placed)

    with _replaced(OrderDesk, "_place", place):
        yield


@contextmanager
def without_the_fence_at_the_call() -> Iterator[None]:
    """Call the broker however long ago the fence was confirmed."""
    with _replaced(Lease, "holds", lambda _: True):
        yield


class _Unacknowledged:
    """A bus that is not waited for."""

    def __init__(self, bus: Any) -> None:
        self._bus = bus

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def flush(self) -> None:
        """Return at once."""


@contextmanager
def without_the_plan_before_the_call() -> Iterator[None]:
    """Call the broker without waiting until the plan is acknowledged."""
    real = ExecutorHandler._place_planned

    async def place_planned(handler: Any, emit: Any) -> None:
        bus = handler._bus
        handler._bus = _Unacknowledged(bus)
        try:
            await real(handler, emit)
        finally:
            handler._bus = bus

    with _replaced(ExecutorHandler, "_place_planned", place_planned):
        yield


@contextmanager
def without_the_net_quantity() -> Iterator[None]:
    """Sell whatever the account holds."""

    def held(
        _: Closing, entry: OrderPlanned, state: ContractState, unsent: Order | None = None
    ) -> int:
        return PLENTY

    with _replaced(Closing, "free_units", held):
        yield


@contextmanager
def without_the_cancel_before_the_exit() -> Iterator[None]:
    """Sell beside a stop that rests at the exchange."""
    real_holding, real_cancel = Blotter.holding, Closing.cancel

    def holding(blotter: Blotter, position_id: UUID) -> Holding:
        return replace(real_holding(blotter, position_id), guarding=0)

    def cancel(closing: Closing, order: Order, now_ms: int) -> tuple[CancelOrder, ...]:
        return () if order.is_stop else real_cancel(closing, order, now_ms)

    with _replaced(Blotter, "holding", holding), _replaced(Closing, "cancel", cancel):
        yield


@contextmanager
def without_the_day_in_ids() -> Iterator[None]:
    """Know a fill by the exchange's trade id alone."""

    def fill_key(fill: OrderFilled) -> str:
        return fill.fill_id

    with _replaced(open_positions, "fill_key", fill_key), _replaced(states, "fill_key", fill_key):
        yield


@contextmanager
def _replaced(owner: type | ModuleType, name: str, by: Callable[..., Any]) -> Iterator[None]:
    real = getattr(owner, name)
    setattr(owner, name, by)
    try:
        yield
    finally:
        setattr(owner, name, real)
