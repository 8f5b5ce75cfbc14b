"""The port's order client for Kite: an order is placed once and followed to its end."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import structlog

from libs.broker.errors import BrokerError, OrderNotSent, OrderRefused
from libs.broker.kite.mapping import changed_fields, order_fields
from libs.broker.kite.replies import Placed, placing_error
from libs.broker.kite.rest import KiteRest
from libs.broker.kite.ticker import Ticker
from libs.broker.kite.unreadable import UnreadableRows
from libs.broker.kite.watch import OrderWatch
from libs.broker.port.orders import MaySend, OrderRequest, OrderUpdate, always

_CHANGE_SECONDS = 2.0
"""A modification that had to wait longer for the rate limits is not sent."""


class KiteOrderClient:
    """Places, modifies, cancels; updates come while `run` runs, which may be restarted.

    `ticker` must have no subscriptions; without one the order book is polled every
    `poll_seconds`. A fill whose trades do not come for `fill_seconds` is told from its order.
    `now_ms` (epoch ms) replaces times that Kite leaves out.
    """

    def __init__(
        self,
        rest: KiteRest,
        ticker: Ticker | None,
        *,
        poll_seconds: float = 5.0,
        fill_seconds: float = 2.0,
        now_ms: Callable[[], int],
        log: structlog.typing.FilteringBoundLogger | None = None,
    ) -> None:
        self._rest = rest
        self._log = log or structlog.get_logger(part="orders")
        self._watch = OrderWatch(rest, ticker, poll_seconds, fill_seconds, now_ms, self._log)

    async def place(self, request: OrderRequest, may_send: MaySend = always) -> str:
        """Return Kite's order id; raise OrderRefused, OrderNotSent, or OrderUnknown in doubt."""
        self._watch.begin_day()
        # The order is in doubt until the reply is read, also if this call is cancelled.
        self._watch.doubt(request.tag)
        try:
            placed = await self._rest.place_order(
                may_send, is_urgent=request.is_urgent, **order_fields(request)
            )
        except BrokerError as error:
            judged = placing_error(error)
            if isinstance(judged, OrderRefused | OrderNotSent):
                self._watch.settle(request.tag)
            raise judged from error
        self._watch.settle(request.tag)
        self._follow(placed, request)
        return placed.order_id

    def _follow(self, placed: Placed, request: OrderRequest) -> None:
        """Follow an order, or its slices, which Kite lists under a tag of its own."""
        for order_id in placed.slices:
            self._watch.expect(order_id, replace(request, quantity=0))
        if not placed.slices:
            self._watch.expect(placed.order_id, request)
        for reason in placed.refused:
            self._log.error("a slice is refused", order_id=placed.order_id, reason=reason)

    async def modify(
        self,
        broker_order_id: str,
        quantity: int,
        price: Decimal,
        trigger_price: Decimal = Decimal(0),
    ) -> None:
        """Change an open order; raise OrderRefused, OrderNotSent or OrderUnknown.

        The exchange may still refuse the change later; the order then works as before.
        """
        self._watch.begin_day()
        if not self._watch.modifications_left(broker_order_id):
            raise OrderRefused(f"{broker_order_id} was modified as often as Kite allows")
        fields = changed_fields(broker_order_id, quantity, price, trigger_price)
        self._watch.modify(broker_order_id)
        try:
            await self._rest.modify_order(_soon(), **fields)
        except BrokerError as error:
            judged = placing_error(error)
            if isinstance(judged, OrderNotSent):
                self._watch.give_back_modification(broker_order_id)
            raise judged from error

    async def cancel(self, broker_order_id: str) -> None:
        """Request a cancellation; if that fails, `run` retries while the order works.

        Never raises BrokerError: the result, cancelled or complete, comes as an update.
        """
        self._watch.cancel(broker_order_id)
        try:
            await self._rest.cancel_order(broker_order_id)
        except BrokerError as error:
            self._log.warning("cancellation in doubt", order_id=broker_order_id, error=str(error))
            self._watch.cancel_again(broker_order_id)

    async def orders(self) -> Sequence[OrderUpdate]:
        """Return the day's order book, each order with its trades as fills.

        Raises SessionError, RateLimited, BrokerUnavailable or ReplyUnreadable.
        """
        return await self._watch.joined()

    def modifications_left(self, broker_order_id: str) -> int:
        """Return how often an order may still be modified today."""
        return self._watch.modifications_left(broker_order_id)

    @property
    def rows(self) -> UnreadableRows:
        """Where rows that cannot be read are noted."""
        return self._watch.rows

    def take_updates(self) -> Sequence[OrderUpdate]:
        """Return the updates that arrived since the last call, in order."""
        return self._watch.take()

    async def updated(self) -> None:
        """Wait until `take_updates` has something."""
        await self._watch.updated()

    async def run(self) -> None:
        """Follow the orders until cancelled; errors of the broker are retried."""
        await self._watch.run()

    def describe(self) -> dict[str, int]:
        """Return counts of updates, postbacks, polls and reconnects."""
        return self._watch.describe()


def _soon() -> MaySend:
    """Return what says yes for a while: prices that waited longer are of another market."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _CHANGE_SECONDS
    return lambda: loop.time() < until
