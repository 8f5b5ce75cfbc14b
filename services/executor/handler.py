"""Carries out what the executor's domain decides: publishes its events, then asks the broker.

Order path: plan published → acknowledged by the bus → broker called, within `CALL_WITHIN_MS` of the
acknowledgement, since another executor may have fenced this one meanwhile. That is asked in the
moment of the call (`Lease`). An order in doubt is looked up by its tag in the order book before
anything else.

A decision is kept until it is carried out. After a failure in between (an outage of the bus) the
next event, `finish` or reply of the broker continues with the rest.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

from libs.broker.errors import SessionError
from libs.broker.port import MaySend, OrderUpdate, Venue
from libs.events.bus import Bus
from libs.events.control import Armed, Disarmed, TradingHalted
from libs.events.event import Event
from libs.events.instruments import InstrumentListed
from libs.events.orders import OrderUnresolved
from libs.events.ticks import TickBatch
from libs.runtime.clock import Clock, monotonic_ms
from libs.runtime.health import LOGIN, Waiting
from libs.runtime.logs import logger_of
from libs.runtime.retry import is_retriable, retrying
from libs.runtime.subscription import Emit
from services.executor.domain.commands import Effect, PlaceOrder, Request
from services.executor.domain.executor import OptionsExecutor
from services.executor.domain.order import ALERT, Order
from services.executor.domain.policy import CALL_WITHIN_MS
from services.executor.order_desk import OrderDesk
from services.executor.standing_down import StandDown

SESSION_SECONDS = 1.0


class Lease:
    """Until when this executor may call the broker, having heard that it holds the fence.

    It begins when that was asked, not when it was heard: a process that was paused in between must
    not take an old answer for a new one.
    """

    def __init__(self, asked_ms: int) -> None:
        self._begun_ms = asked_ms

    def holds(self) -> bool:
        """Return whether the broker may be called now; from any thread."""
        return monotonic_ms() - self._begun_ms <= CALL_WITHIN_MS


class ExecutorHandler:
    """Carries out what the domain decides, in order, one event, update or reply at a time.

    With `waiting` a start without a session waits for a login, and says so there. With `in_turn`
    requests to the broker are carried out one after the other, before anything else.

    `_decided` are the effects of each decision whose events are not published yet, `_asked` the
    cancellations and reads that are due, `_planned` the orders whose plans are published.
    """

    def __init__(
        self,
        executor: OptionsExecutor,
        venue: Venue,
        bus: Bus,
        clock: Clock,
        waiting: Waiting | None = None,
        stand_down: StandDown | None = None,
        *,
        in_turn: bool = False,
    ) -> None:
        self._stand_down = stand_down or StandDown()
        self._executor = executor
        self._venue = venue
        self._bus = bus
        self._clock = clock
        self._waiting = waiting
        self._desk = OrderDesk(venue, waiting, self._stand_down, in_turn=in_turn)
        self._turn = asyncio.Lock()
        self._decided: deque[tuple[Effect, ...]] = deque()
        self._asked: deque[Request] = deque()
        self._planned: deque[PlaceOrder] = deque()
        self._log = logger_of("executor")

    @property
    def is_busy(self) -> bool:
        """Whether an event, an update or a request to the broker is being carried out."""
        return self._turn.locked() or self._desk.is_busy

    async def handle(self, event: Event, emit: Emit) -> None:
        """React to one event, then to the venue's updates after new quotes."""
        async with self._turn:
            await self._carry_on(emit)
            if isinstance(event, TickBatch):
                await self._place_planned(emit)
            await self._carry_out(self._executor.on_event(event, self._clock.now_ms()), emit)
            if isinstance(event, InstrumentListed):
                self._venue.list_instrument(event.instrument())
            if isinstance(event, TickBatch):
                self._venue.on_quotes(self._executor.market.quotes)
            await self._take_news(emit)

    async def finish(self, emit: Emit) -> None:
        """Send the orders planned by a batch of messages; one flush acknowledges their plans."""
        async with self._turn:
            await self._carry_on(emit)
            await self._place_planned(emit)
            await self._take_news(emit)

    async def publish(self, make_events: Callable[[], Iterable[Event]], emit: Emit) -> None:
        """Make and publish events between two messages, and wait for the acknowledgement.

        A halt, and an arming or its end, hold from then on: signals that wait before a halt on the
        topics open nothing, and entries that work are cancelled.
        """
        async with self._turn:
            events = tuple(make_events())
            await emit(*events)
            await self._bus.flush()
            for event in events:
                if isinstance(event, (TradingHalted, Armed, Disarmed)):
                    await self._carry_out(
                        self._executor.on_event(event, self._clock.now_ms()), emit
                    )

    async def flush(self) -> None:
        """Do nothing: `finish` has sent what was planned."""

    def restore(self, event: Event) -> None:
        """Pass a published event to the domain, and an instrument to the venue too."""
        if isinstance(event, InstrumentListed):
            self._venue.list_instrument(event.instrument())
        self._stand_down.note(event)
        self._executor.restore(event)

    async def begin(self, emit: Emit) -> None:
        """Compare orders of before a restart with the broker's order book, once it can be read."""
        await self._halt_if_flattened(emit)
        blotter = self._executor.blotter
        self._venue.begin_with(blotter.net_positions(), blotter.filled_orders())
        book = await self._book_at_start()
        await self._carry_out(self._executor.settle(book, self._clock.now_ms()), emit)
        await self._place_planned(emit)
        await self._bus.flush()

    async def stirred(self) -> None:
        """Return when the venue has updates, or has answered a request."""
        waits = [
            asyncio.ensure_future(self._venue.updated()),
            asyncio.ensure_future(self._desk.answered()),
        ]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in done:
                wait.result()
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def on_updates(self, emit: Emit) -> None:
        """React to the broker's replies, and to the updates that it sent on its own."""
        async with self._turn:
            await self._carry_on(emit)
            await self._take_news(emit)
            await self._place_planned(emit)
            await self._take_news(emit)
            await self._bus.flush()

    async def on_time(self, now_ms: int, emit: Emit) -> None:
        """Do what is due at a time: timeouts, retries, orders in doubt, exits that wait."""
        async with self._turn:
            await self._carry_on(emit)
            await self._halt_if_flattened(emit)
            reconnects = int(self._venue.describe().get("reconnects", 0))
            await self._carry_out(self._executor.on_time(now_ms, reconnects), emit)
            await self._place_planned(emit)
            await self._take_news(emit)

    async def close(self) -> None:
        """Stop waiting for replies, and close the connections to the broker."""
        await self._desk.close()
        await self._venue.close()

    async def _halt_if_flattened(self, emit: Emit) -> None:
        """Open no position after a flatten, until a person resumes."""
        halted = self._stand_down.due_halt(self._clock)
        if halted is not None:
            effects = self._executor.on_event(halted, self._clock.now_ms())
            await self._carry_out((halted, *effects), emit)

    async def _take_news(self, emit: Emit) -> None:
        """React to replies first: an update may be of an order whose reply has just come."""
        await self._take_replies(emit)
        while updates := self._venue.take_updates():
            now_ms = self._clock.now_ms()
            await self._carry_out(self._executor.on_updates(updates, now_ms), emit)

    async def _take_replies(self, emit: Emit) -> None:
        while (reply := self._desk.take()) is not None:
            await self._carry_out(self._executor.on_reply(reply, self._clock.now_ms()), emit)

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
                await self._desk.submit(self._asked.popleft())
                self._note_replies()

    def _note_replies(self) -> None:
        """Decide on the replies of a venue that answers at once."""
        while (reply := self._desk.take()) is not None:
            self._decided.append(self._executor.on_reply(reply, self._clock.now_ms()))

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
        requests = [effect for effect in effects if not isinstance(effect, Event)]
        self._planned += [one for one in requests if isinstance(one, PlaceOrder)]
        self._asked += [one for one in requests if not isinstance(one, PlaceOrder)]
        self._log_doubts(events)

    def _log_doubts(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, OrderUnresolved):
                is_alert = event.reason.startswith(ALERT)
                what = "look at an order" if is_alert else "an order is in doubt"
                self._log.error(what, tag=event.tag, reason=event.reason.removeprefix(ALERT))

    async def _place_planned(self, emit: Emit) -> None:
        """Wait until all plans are acknowledged, then send their orders one by one."""
        while acknowledged := len(self._planned):
            lease = await self._leased(self._bus.flush)
            for _ in range(acknowledged):
                if self._planned[0].is_again or not lease.holds():
                    lease = await self._leased(self._bus.confirm)
                request = self._planned.popleft()
                await self._desk.submit(request, self._may_send(request.order, lease))
                self._note_replies()
                await self._carry_on(emit)

    async def _leased(self, ask: Callable[[], Awaitable[None]]) -> Lease:
        """Ask the bus for an acknowledgement that shows who holds the fence."""
        asked_ms = monotonic_ms()
        await ask()
        return Lease(asked_ms)

    def _may_send(self, order: Order, lease: Lease) -> MaySend:
        """Return what is asked in the moment of the call: the fence; of an entry more."""
        if order.plan.leg == "exit":
            return lease.holds
        stops, now_ms = self._executor.stops, self._clock.now_ms
        pauses, underlying = self._executor.margin_pauses, order.plan.underlying
        return lambda: (
            lease.holds()
            and not stops(order.plan, now_ms())
            and not pauses.is_on(underlying, now_ms())
        )

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

    def _log_outage(self, error: Exception) -> None:
        self._log.warning("the broker does not answer, retrying", reason=str(error))
