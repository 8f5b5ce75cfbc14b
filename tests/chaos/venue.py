"""The venue of one process over the simulated exchange, with a fault point before and after all."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any, Protocol, TypeVar

from libs.broker.errors import (
    BrokerError,
    BrokerUnavailable,
    OrderNotSent,
    OrderRefused,
    OrderUnknown,
    RateLimited,
    SessionExpired,
)
from libs.broker.kite.mapping import (
    changed_fields,
    fill_of,
    order_fields,
    position_of,
    reason_of,
    status_of,
    trade_of,
    updated_ms,
)
from libs.broker.port import (
    ContractState,
    Fill,
    Margin,
    MaySend,
    NetPosition,
    OrderRequest,
    OrderUpdate,
    Trade,
    Unreadable,
    always,
    fill_of_order,
)
from libs.broker.port.venue import QuoteSource
from libs.market.instruments import Instrument
from services.simulator.domain.errors import KiteError
from tests.chaos.exchange import Exchange, Row

T = TypeVar("T")
REQUEST_SECONDS = 3.0
"""Time limit of a request."""
COOL_DOWN_SECONDS = 5.0
"""How long a lane rests after Kite has said that there are too many requests."""
POLL_SECONDS = 3.0
MODIFICATIONS = 25


class Gates(Protocol):
    """Where faults come from."""

    async def at(self, point: str) -> None:
        """Pass a point: the process may die or pause here, or an error be raised."""

    def takes(self, point: str) -> str | None:
        """Return the effect of a fault that happens to a message at a point."""

    @property
    def seconds(self) -> float:
        """How long a fault takes."""


class ExchangeVenue:
    """A venue as the executor knows it; what it holds is lost with its process."""

    may_lose_replies = True
    is_real = False

    def __init__(self, exchange: Exchange, gates: Gates, random: Random) -> None:
        self._exchange, self._gates, self._random = exchange, gates, random
        self._updates: list[OrderUpdate] = []
        self._has_updates = asyncio.Event()
        self._handed_on: dict[str, tuple[str, int]] = {}
        self._fills: dict[str, tuple[Fill, ...]] = {}
        self._rests_until = {True: 0.0, False: 0.0}
        self.is_closed = False
        exchange.listeners.append(self)

    async def place(self, request: OrderRequest, may_send: MaySend = always) -> str:
        """Place an order; see the port."""
        await self._turn(request.is_urgent)
        try:
            await self._leave("place")
        except RateLimited as limited:
            self._rests_until[request.is_urgent] = _now() + COOL_DOWN_SECONDS
            raise OrderNotSent(str(limited), retry_after_ms=limited.retry_after_ms) from limited
        except SessionExpired as error:
            raise OrderNotSent(str(error), needs_login=True) from error
        except BrokerUnavailable as error:
            raise OrderNotSent(str(error)) from error
        if request.transaction_type == "SELL" and self._exchange.lost_sales:
            self._exchange.lost_sales -= 1
            raise OrderNotSent("no connection")
        if not may_send():
            raise OrderNotSent("the order waited too long before it could be sent")
        fields = {name: str(value) for name, value in order_fields(request).items()}
        try:
            return await self._ask("place", lambda: self._exchange.place(fields))
        except BrokerUnavailable as error:
            raise OrderUnknown(str(error)) from error

    async def modify(
        self,
        broker_order_id: str,
        quantity: int,
        price: Decimal,
        trigger_price: Decimal = Decimal(0),
    ) -> None:
        """Change an order; see the port."""
        changed = changed_fields(broker_order_id, quantity, price, trigger_price)
        fields = {name: str(value) for name, value in changed.items()}
        try:
            await self._leave("modify")
        except BrokerError as error:
            if isinstance(error, OrderRefused):
                raise
            raise OrderNotSent(str(error)) from error
        try:
            await self._ask("modify", lambda: self._exchange.modify(broker_order_id, fields))
        except BrokerUnavailable as error:
            raise OrderUnknown(str(error)) from error

    async def cancel(self, broker_order_id: str) -> None:
        """Request a cancellation; see the port."""
        await self._leave("cancel")
        await self._ask("cancel", lambda: self._exchange.cancel(broker_order_id))

    def modifications_left(self, broker_order_id: str) -> int:
        """Return how often an order may still be modified."""
        return max(0, MODIFICATIONS - self._exchange.seen.modified[broker_order_id])

    async def orders(self) -> Sequence[OrderUpdate]:
        """Return the order book."""
        book = await self._read("orders", self._exchange.orders)
        return [update_of(row, trades) for row, trades in book]

    async def trades(self) -> Sequence[Trade]:
        """Return the trade book."""
        rows = await self._read("trades", self._exchange.trades)
        return [trade_of(row) for row in rows]

    async def positions(self) -> Sequence[NetPosition]:
        """Return the net positions."""
        rows = await self._read("positions", self._exchange.account.positions)
        return [position_of(row) for row in rows["net"]]

    async def contract(self, exchange: str, tradingsymbol: str) -> ContractState:
        """Return what is held of a contract, and its open orders."""
        book, rows = await self._read(
            "contract", lambda: (self._exchange.orders(), self._exchange.account.positions())
        )
        held = tuple(position_of(row) for row in rows["net"])
        working = tuple(update_of(row, trades) for row, trades in book)
        return ContractState(
            positions=tuple(one for one in held if one.tradingsymbol == tradingsymbol),
            working=tuple(
                one
                for one in working
                if one.status == "OPEN" and one.tradingsymbol == tradingsymbol
            ),
        )

    def unreadable(self) -> Sequence[Unreadable]:
        """Return nothing: all rows can be read."""
        return ()

    async def required_margin(self, request: OrderRequest) -> Decimal | None:
        """Return None: there is no calculator."""
        return None

    async def margins(self) -> Mapping[str, Margin]:
        """Return the funds."""
        rows = await self._read("margins", self._exchange.account.margins)
        equity = rows["equity"]
        available = Decimal(str(equity["net"]))
        return {"equity": Margin(available, Decimal(str(equity["utilised"]["debits"])))}

    def take_updates(self) -> Sequence[OrderUpdate]:
        """Return the updates since the last call."""
        updates, self._updates = self._updates, []
        self._has_updates.clear()
        return updates

    async def updated(self) -> None:
        """Return when there are updates to take."""
        while not self._updates:
            await self._has_updates.wait()
        await self._gates.at("updated.after")

    async def run(self) -> None:
        """Poll the order book, since updates may be lost."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if not (self._exchange.is_polled and self._exchange.seen.orders_of):
                continue
            try:
                book = await self.orders()
            except BrokerError:
                continue
            self._take([one for one in book if self._is_news(one)])

    async def close(self) -> None:
        """Hear no more updates."""
        self.end()

    def end(self) -> None:
        """Hear no more updates: the process is dead."""
        self.is_closed = True
        if self in self._exchange.listeners:
            self._exchange.listeners.remove(self)

    def budget(self) -> Mapping[int, int]:
        """Return an empty mapping."""
        return {}

    def describe(self) -> Mapping[str, Any]:
        """Return nothing."""
        return {}

    def session(self) -> None:
        """Need none: the exchange says itself that a session is over."""
        return

    def begin_with(self, held: Sequence[NetPosition], past: Sequence[OrderUpdate]) -> None:
        """Do nothing: the exchange knows what the account has."""

    def list_instrument(self, instrument: Instrument) -> None:
        """Do nothing: the exchange knows its instruments."""

    def on_quotes(self, quotes: QuoteSource) -> None:
        """Do nothing: the exchange has its own."""

    def hear(self, row: Row, trades: list[Row]) -> None:
        """Take an update off the websocket: soon, late, twice or never."""
        update, effect = self._read_update(row, trades), self._gates.takes("update")
        if effect == "lost":
            return
        soon = 0.02 + self._random.random() * 0.1
        loop = asyncio.get_running_loop()
        if effect == "twice":
            loop.call_later(soon + self._gates.seconds, self._take, [update])
        after = soon + self._gates.seconds if effect == "late" else soon
        loop.call_later(after, self._take, [update])

    def _read_update(self, row: Row, trades: list[Row]) -> OrderUpdate:
        """Return an update with the order's trades; with what it shows itself if there are none."""
        update = update_of(row, trades)
        if self._exchange.now_ms() >= self._exchange.no_rest_until_ms:
            return update
        booked = self._fills.get(update.broker_order_id, ())
        average = Decimal(str(row["average_price"]))
        told = fill_of_order(
            update.broker_order_id, booked, row["filled_quantity"], average, update.at_ms
        )
        return replace(update, fills=(*booked, told) if told else tuple(booked))

    def _take(self, updates: Sequence[OrderUpdate]) -> None:
        if self.is_closed:
            return
        self._updates += updates
        for one in updates:
            self._fills[one.broker_order_id] = one.fills
            self._handed_on[one.broker_order_id] = (one.status, one.filled_quantity)
        if updates:
            self._has_updates.set()

    def _is_news(self, update: OrderUpdate) -> bool:
        """Whether a poll shows more of an order than was handed on before."""
        state = (update.status, update.filled_quantity)
        return self._handed_on.get(update.broker_order_id) != state

    async def _turn(self, is_urgent: bool) -> None:
        """Wait while the lane rests."""
        while True:
            wait = self._rests_until[is_urgent] - _now()
            if wait <= 0:
                return
            await asyncio.sleep(wait)

    async def _leave(self, call: str) -> None:
        """Pass the point before a request is sent; raise what then certainly was not sent."""
        await self._gates.at(f"{call}.before")
        if self._exchange.now_ms() < self._exchange.no_rest_until_ms:
            raise BrokerUnavailable("no connection", was_sent=False)
        if self._exchange.now_ms() < self._exchange.no_session_until_ms:
            raise SessionExpired("Incorrect `api_key` or `access_token`.")

    async def _read(self, name: str, call: Callable[[], T]) -> T:
        await self._leave(name)
        return await self._ask(name, call)

    async def _ask(self, name: str, call: Callable[[], T]) -> T:
        """Send a request and wait for its reply; the points are on its way and after it."""
        travels, returns = (0.01 + self._random.random() * 0.15 for _ in range(2))
        match self._gates.takes(f"{name}.wire"):
            case "lost":
                await asyncio.sleep(REQUEST_SECONDS)
                raise BrokerUnavailable("no answer in time")
            case "late":
                travels = REQUEST_SECONDS + self._random.random() * 1.5
        reply = self._exchange.send(call, travels, returns)
        await self._gates.at(f"{name}.wire")
        value = await _within(reply)
        await self._gates.at(f"{name}.after")
        return value


def update_of(row: Row, trades: Sequence[Row]) -> OrderUpdate:
    """Return an order of Kite with its trades as the port has it."""
    return OrderUpdate(
        broker_order_id=row["order_id"],
        tag=row["tag"] or "",
        status=status_of(row),
        at_ms=updated_ms(row, 0),
        fills=tuple(fill_of(trade) for trade in trades),
        reason=reason_of(row),
        exchange=row["exchange"],
        tradingsymbol=row["tradingsymbol"],
        transaction_type=row["transaction_type"],
        product=row["product"],
        quantity=row["quantity"],
        awaits_trigger=_awaits_trigger(row),
    )


def _awaits_trigger(row: Row) -> bool | None:
    """Whether a stop awaits its trigger; None while it is on its way, or is being changed."""
    is_decided = row["status"] in ("TRIGGER PENDING", "OPEN", "COMPLETE", "CANCELLED", "REJECTED")
    if row["order_type"] == "SL" and not is_decided:
        return None
    return bool(row["status"] == "TRIGGER PENDING")


async def _within(reply: Awaitable[T]) -> T:
    try:
        return await asyncio.wait_for(asyncio.shield(reply), REQUEST_SECONDS)
    except TimeoutError:
        raise BrokerUnavailable("no answer in time") from None
    except KiteError as error:
        raise OrderRefused(str(error)) from error


def _now() -> float:
    return asyncio.get_running_loop().time()
