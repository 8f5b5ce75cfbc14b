"""Carries out what the executor's domain decides: publishes its events, then calls the broker.

Order path: plan published → acknowledged by the bus → broker called, within `CALL_WITHIN_MS` of the
acknowledgement, since another executor may have fenced this one meanwhile. An order in doubt is
looked up by its tag in the order book before anything else.

A decision is kept until it is carried out. After a failure in between (an outage of the bus) the
next event, `finish` or update of the broker continues with the rest.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence

from libs.broker.errors import BrokerError, OrderNotSent, OrderRefused, SessionError
from libs.broker.port import OrderUpdate, Venue
from libs.events.bus import Bus
from libs.events.control import TradingHalted
from libs.events.event import Event
from libs.events.orders import OrderEvent, OrderUnresolved
from libs.events.ticks import TickBatch
from libs.runtime.clock import Clock, monotonic_ms
from libs.runtime.health import LOGIN, Waiting
from libs.runtime.logs import logger_of
from libs.runtime.retry import is_retriable, retrying
from libs.runtime.subscription import Emit
from services.executor.domain.commands import CancelOrder, Effect, LookUp, PlaceOrder
from services.executor.domain.executor import OptionsExecutor
from services.executor.domain.order import Order

SESSION_SECONDS = 1.0
CALL_WITHIN_MS = 2000
"""How long after an acknowledgement the broker may be called; a newer executor waits longer."""


class ExecutorHandler:
    """Carries out what the domain decides, in order, one event or update at a time.

    With `waiting` a start without a session waits for a login, and says so there.

    `_decided` are the effects of each decision whose events are not published yet, `_asked` the
    cancellations and look-ups that are due, `_planned` the orders whose plans are published.
    """

    def __init__(
        self,
        executor: OptionsExecutor,
        venue: Venue,
        bus: Bus,
        clock: Clock,
        waiting: Waiting | None = None,
    ) -> None:
        self._executor = executor
        self._venue = venue
        self._bus = bus
        self._clock = clock
        self._waiting = waiting
        self._turn = asyncio.Lock()
        self._decided: deque[tuple[Effect, ...]] = deque()
        self._asked: deque[CancelOrder | LookUp] = deque()
        self._planned: deque[Order] = deque()
        self._log = logger_of("executor")

    @property
    def is_busy(self) -> bool:
        """Whether an event or an update is being carried out."""
        return self._turn.locked()

    async def handle(self, event: Event, emit: Emit) -> None:
        """React to one event, then to the venue's updates after new quotes."""
        async with self._turn:
            await self._carry_on(emit)
            if isinstance(event, TickBatch):
                await self._place_planned(emit)
            await self._carry_out(self._executor.on_event(event, self._clock.now_ms()), emit)
            if isinstance(event, TickBatch):
                self._venue.on_quotes(self._executor.market.quotes)
            await self._take_updates(emit)

    async def finish(self, emit: Emit) -> None:
        """Send the orders planned by a batch of messages; one flush acknowledges their plans."""
        async with self._turn:
            await self._carry_on(emit)
            await self._place_planned(emit)
            await self._take_updates(emit)

    async def publish(self, events: Iterable[Event], emit: Emit) -> None:
        """Publish events of a caller between two messages, and wait for the acknowledgement.

        A halt holds from then on: signals that wait before it on the topics open nothing.
        """
        events = tuple(events)
        async with self._turn:
            await emit(*events)
            await self._bus.flush()
            for event in events:
                if isinstance(event, TradingHalted):
                    self._executor.on_event(event, self._clock.now_ms())

    async def flush(self) -> None:
        """Do nothing: `finish` has sent what was planned."""

    def restore(self, event: Event) -> None:
        """Pass a published event to the domain."""
        self._executor.restore(event)

    async def begin(self, emit: Emit) -> None:
        """Compare orders of before a restart with the broker's order book, once it can be read."""
        book = await self._book_at_start()
        await self._carry_out(self._executor.settle(book, self._clock.now_ms()), emit)
        await self._place_planned(emit)
        await self._bus.flush()

    async def on_updates(self, emit: Emit) -> None:
        """React to the updates that the broker sent on its own."""
        async with self._turn:
            await self._carry_on(emit)
            await self._take_updates(emit)
            await self._place_planned(emit)
            await self._bus.flush()

    async def _take_updates(self, emit: Emit) -> None:
        while updates := self._venue.take_updates():
            now_ms = self._clock.now_ms()
            await self._carry_out(self._executor.on_updates(updates, now_ms), emit)

    async def _carry_out(self, effects: Iterable[Effect], emit: Emit) -> None:
        """Publish the events of a decision; then send its requests to the broker."""
        self._decided.append(tuple(effects))
        await self._carry_on(emit)

    async def _carry_on(self, emit: Emit) -> None:
        """Carry out what was decided and is not done yet, events first."""
        while self._decided or self._asked:
            if self._decided:
                await self._publish_next(emit)
            else:
                await self._ask(self._asked.popleft())

    async def _publish_next(self, emit: Emit) -> None:
        """Publish the events of the oldest decision; drop it on an error that is not retriable."""
        effects = self._decided[0]
        events = [effect for effect in effects if isinstance(effect, Event)]
        try:
            await emit(*events)
        except Exception as error:
            if not is_retriable(error):
                self._decided.popleft()
            raise
        self._decided.popleft()
        self._planned += [effect.order for effect in effects if isinstance(effect, PlaceOrder)]
        self._asked += [effect for effect in effects if isinstance(effect, CancelOrder | LookUp)]
        self._log_doubts(events)

    def _log_doubts(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, OrderUnresolved):
                self._log.error("an order is in doubt", tag=event.tag, reason=event.reason)

    async def _place_planned(self, emit: Emit) -> None:
        """Wait until all plans are acknowledged, then send their orders one by one."""
        while acknowledged := len(self._planned):
            await self._bus.flush()
            acknowledged_ms = monotonic_ms()
            for _ in range(acknowledged):
                if monotonic_ms() - acknowledged_ms > CALL_WITHIN_MS:
                    await self._bus.confirm()
                    acknowledged_ms = monotonic_ms()
                await self._place(self._planned.popleft(), emit)

    async def _place(self, order: Order, emit: Emit) -> None:
        """Send an order once: a request that failed, not refused, may have reached the broker."""
        try:
            broker_order_id = await self._venue.place(order.request())
        except (OrderRefused, OrderNotSent) as refused:
            event: OrderEvent = order.rejected(str(refused), self._clock.now_ms())
        except BrokerError as unknown:
            await self._look_up(order, str(unknown), emit)
            return
        else:
            event = order.placed(broker_order_id, self._clock.now_ms())
        await self._carry_out(self._applied(order, event), emit)

    async def _ask(self, asked: CancelOrder | LookUp) -> None:
        if isinstance(asked, CancelOrder):
            await self._cancel(asked)
        else:
            await self._let_book_decide(asked)

    async def _cancel(self, asked: CancelOrder) -> None:
        """Request a cancellation; one that fails is requested again by a later tick."""
        try:
            await self._venue.cancel(asked.broker_order_id)
        except BrokerError as error:
            tag = asked.order.plan.tag
            self._log.warning("a cancellation failed", tag=tag, reason=str(error))

    async def _look_up(self, order: Order, reason: str, emit: Emit) -> None:
        """Look up an order by its tag after its reply was lost.

        An order that is not found is in doubt: it may still arrive, and is then adopted.
        """
        book = await self._book() or ()
        found = [update for update in book if update.tag == order.plan.tag]
        now_ms = self._clock.now_ms()
        if found:
            placed = self._applied(order, order.placed(found[0].broker_order_id, now_ms))
            self._decided.append(placed)
            await self._carry_out(self._executor.on_updates(found, now_ms), emit)
        else:
            await self._carry_out(self._applied(order, order.unresolved(reason, now_ms)), emit)

    async def _let_book_decide(self, asked: LookUp) -> None:
        """Pass the book to the domain, unless it cannot be read."""
        book = await self._book()
        if book is not None:
            effects = self._executor.on_book(asked, book, self._clock.now_ms())
            self._decided.append(tuple(effects))

    async def _book_at_start(self) -> Sequence[OrderUpdate]:
        """Return the order book; without a session wait for a login, or raise SessionError."""
        while True:
            try:
                book = await retrying(self._venue.orders, self._log_outage, lambda: False)
            except SessionError as error:
                if self._waiting is None:
                    raise
                self._note_waiting(self._waiting, error)
                await asyncio.sleep(SESSION_SECONDS)
            else:
                if self._waiting is not None:
                    self._waiting.reason = ""
                return book

    def _note_waiting(self, waiting: Waiting, error: SessionError) -> None:
        if not waiting.reason:
            self._log.error("waiting for a broker session", reason=str(error))
        waiting.reason = f"{LOGIN} ({error})"

    async def _book(self) -> Sequence[OrderUpdate] | None:
        try:
            return await self._venue.orders()
        except BrokerError as error:
            self._log.warning("the order book cannot be read", reason=str(error))
            return None

    def _applied(self, order: Order, event: OrderEvent) -> tuple[Effect, ...]:
        """Apply the event of a broker's reply; return what follows from it."""
        return tuple(self._executor.on_event_of_order(order, event, self._clock.now_ms()))

    def _log_outage(self, error: Exception) -> None:
        self._log.warning("the broker does not answer, retrying", reason=str(error))
