"""Calls the broker for the executor, and returns what comes of each request as a reply.

Requests run outside of the handler's lock and of any transaction of the bus, each in a task of its
own: waiting for one reply blocks neither quotes nor other orders. The venue gives urgent requests
a lane of their own. Where the outcome must not depend on the machine (replay, demo, a venue that
answers at once) they are carried out in turn, one after the other.
"""

import asyncio
from collections import deque

from libs.broker.errors import BrokerError, OrderNotSent, OrderRefused, SessionError
from libs.broker.port import MaySend, Unreadable, Venue, always
from libs.runtime.health import LOGIN, Waiting
from libs.runtime.logs import logger_of
from services.executor.domain.broker_replies import (
    Accepted,
    AccountRead,
    BookRead,
    ContractRead,
    NotCancelled,
    NotSent,
    Refused,
    Reply,
    ReplyLost,
    Unchanged,
)
from services.executor.domain.commands import (
    CancelOrder,
    LookUp,
    ModifyOrder,
    PlaceOrder,
    ReadContract,
    Request,
)
from services.executor.domain.reconciliation import AccountSnapshot, UnreadableRow
from services.executor.standing_down import RETRY_MS, StandDown

READ_SECONDS = 1.0
"""How long a sale waits for what the account holds of its contract."""


class OrderDesk:
    """Sends requests, and keeps their replies until they are taken.

    With `waiting` it says there that a session is missing. `in_turn`: each request is carried out
    before the next step, however long that takes. While `stand_down` has a reason no order is sent.
    """

    def __init__(
        self,
        venue: Venue,
        waiting: Waiting | None = None,
        stand_down: StandDown | None = None,
        *,
        in_turn: bool = False,
    ) -> None:
        self._stand_down = stand_down or StandDown()
        self._is_in_turn = in_turn or not venue.may_lose_replies
        self._venue = venue
        self._waiting = waiting
        self._log = logger_of("executor")
        self._calls: set[asyncio.Task[None]] = set()
        self._replies: deque[Reply | BaseException] = deque()
        self._has_replies = asyncio.Event()

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way, or a reply was not taken yet."""
        return bool(self._calls or self._replies)

    async def submit(self, request: Request, may_send: MaySend = always) -> None:
        """Send a request; its reply is there to take when the venue has answered.

        `may_send` is asked in the moment before an order leaves.
        """
        if self._is_in_turn:
            await self._answer(request, may_send)
            return
        call = asyncio.create_task(self._answer(request, may_send))
        self._calls.add(call)
        call.add_done_callback(self._end)

    def take(self) -> Reply | None:
        """Return the oldest reply, None if there is none; raise what a request failed with."""
        if not self._replies:
            self._has_replies.clear()
            return None
        reply = self._replies.popleft()
        if isinstance(reply, BaseException):
            raise reply
        return reply

    async def answered(self) -> None:
        """Return when there is a reply to take."""
        await self._has_replies.wait()

    async def close(self) -> None:
        """Stop waiting for replies; what becomes of their orders is looked up after a restart."""
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def _end(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if not call.cancelled() and (error := call.exception()) is not None:
            self._keep(error)

    def _keep(self, reply: Reply | BaseException) -> None:
        self._replies.append(reply)
        self._has_replies.set()

    async def _answer(self, request: Request, may_send: MaySend) -> None:
        if isinstance(request, PlaceOrder):
            self._keep(await self._place(request, may_send))
        elif isinstance(request, CancelOrder):
            await self._cancel(request)
        elif isinstance(request, ModifyOrder):
            await self._modify(request)
        elif isinstance(request, LookUp):
            self._keep(await self._look_up(request))
        elif isinstance(request, ReadContract):
            self._keep(await self._read_contract(request))
        else:
            self._keep(await self._read_account())

    async def _place(self, asked: PlaceOrder, may_send: MaySend) -> Reply:
        """Send an order once: a request that failed, not refused, may have reached the broker."""
        order = asked.order
        if reason := self._stand_down.reason:
            return NotSent(order, reason, RETRY_MS)
        try:
            broker_order_id = await self._venue.place(
                order.request(), self._unless_flattened(may_send)
            )
        except OrderRefused as refused:
            return Refused(order, str(refused))
        except OrderNotSent as unsent:
            self._note_login(str(unsent) if unsent.needs_login else "")
            return NotSent(order, str(unsent), unsent.retry_after_ms)
        except BrokerError as unknown:
            return ReplyLost(order, str(unknown))
        self._note_login("")
        return Accepted(order, broker_order_id)

    def _unless_flattened(self, may_send: MaySend) -> MaySend:
        """Return what is asked in the moment of the call: a flatten may begin while one waits."""
        return lambda: may_send() and not self._stand_down.reason

    async def _cancel(self, asked: CancelOrder) -> None:
        """Request a cancellation; one that fails is requested again later."""
        try:
            await self._venue.cancel(asked.broker_order_id)
        except BrokerError as error:
            tag = asked.order.plan.tag
            self._log.warning("a cancellation failed", tag=tag, reason=str(error))
            self._keep(NotCancelled(asked.order, str(error)))

    async def _modify(self, asked: ModifyOrder) -> None:
        """Request a change; one that was refused is told."""
        quantity = asked.order.plan.quantity if asked.quantity is None else asked.quantity
        try:
            await self._venue.modify(
                asked.broker_order_id, quantity, asked.price, asked.trigger_price
            )
        except BrokerError as error:
            self._log.warning("a change failed", tag=asked.order.plan.tag, reason=str(error))
            self._keep(Unchanged(asked.order, str(error)))

    async def _look_up(self, asked: LookUp) -> BookRead:
        try:
            return BookRead(asked, await self._venue.orders())
        except BrokerError as error:
            self._log.warning("the order book cannot be read", reason=str(error))
            return BookRead(asked, None)

    async def _read_contract(self, asked: ReadContract) -> ContractRead:
        contract = asked.entry.contract
        if (
            reason := self._stand_down.reason
        ):  # nothing is going to be sent: do not use up its reads
            return ContractRead(asked, None, reason, needs_login=True)
        try:
            async with asyncio.timeout(None if self._is_in_turn else READ_SECONDS):
                state = await self._venue.contract(contract.exchange, contract.tradingsymbol)
        except SessionError as error:
            self._note_login(str(error))
            return ContractRead(asked, None, str(error), needs_login=True)
        except TimeoutError:
            return ContractRead(asked, None, f"no answer within {READ_SECONDS:g} s")
        except BrokerError as error:
            return ContractRead(asked, None, str(error))
        self._note_login("")
        return ContractRead(asked, state)

    async def _read_account(self) -> AccountRead:
        """Read orders, trades and positions in this order: what is read later may know more."""
        venue = self._venue
        try:
            snapshot = AccountSnapshot(
                orders=await venue.orders(),
                trades=await venue.trades(),
                positions=await venue.positions(),
                margins=await venue.margins(),
                unreadable=[_row(one) for one in venue.unreadable()],
            )
        except BrokerError as error:
            return AccountRead(None, str(error))
        return AccountRead(snapshot)

    def _note_login(self, reason: str) -> None:
        """Say once that a session is missing, and once that there is one again."""
        if self._waiting is None:
            return
        if reason and not self._waiting.reason:
            self._log.error("waiting for a broker session", reason=reason)
        self._waiting.reason = f"{LOGIN} ({reason})" if reason else ""


def _row(one: Unreadable) -> UnreadableRow:
    kind = one.what if one.what in {"order", "trade", "position"} else "position"
    return UnreadableRow(
        kind=kind,  # type: ignore[arg-type]  # one of three literals
        name=one.broker_order_id or one.tradingsymbol,
        exchange=one.exchange,
        tradingsymbol=one.tradingsymbol,
        tag=one.tag,
    )
