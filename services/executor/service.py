"""The executor service: signals and exit requests in, decisions and orders out.

The order of the order path: plan published → acknowledged by the bus → broker called, and not later
than a moment after it: another executor may have taken over meanwhile. After any doubt the tag is
looked up in the order book before anything else.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from libs.broker.errors import BrokerError, OrderRefused, OrderUnknown
from libs.broker.paper import PaperBroker
from libs.broker.port import OrderClient, OrderUpdate
from libs.events.bus import Bus
from libs.events.event import Event
from libs.events.orders import Mode, OrderEvent, OrderUnresolved
from libs.events.ticks import TickBatch
from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from libs.runtime.access import Access
from libs.runtime.clock import Clock, monotonic_ms
from libs.runtime.logs import logger_of
from libs.runtime.metrics import TradingMetrics
from libs.runtime.retry import retrying
from libs.runtime.service import Parts, Service
from libs.runtime.settings import SettingsError
from libs.runtime.subscription import Emit, Subscription
from services.executor.control import CommandQueue, TradingState, control_router
from services.executor.domain import rows
from services.executor.domain.commands import CancelOrder, Effect, LookUp, PlaceOrder
from services.executor.domain.executor import OptionsExecutor
from services.executor.domain.option_market import OptionMarket
from services.executor.domain.order import Order
from services.executor.domain.risk import RiskBook
from services.executor.settings import ExecutorSettings
from services.executor.venue import Venue

CALL_WITHIN_MS = 2000
"""How long after an acknowledgement the broker may be called: a successor waits longer."""


class ExecutorHandler:
    """Carries out what the domain decides, in order, one event or update at a time."""

    def __init__(
        self, executor: OptionsExecutor, broker: OrderClient, bus: Bus, clock: Clock
    ) -> None:
        self._executor = executor
        self._broker = broker
        self._bus = bus
        self._clock = clock
        self._turn = asyncio.Lock()
        self._planned: list[Order] = []
        self._log = logger_of("executor")

    @property
    def is_busy(self) -> bool:
        """Whether an event or an update is being carried out."""
        return self._turn.locked()

    async def handle(self, event: Event, emit: Emit) -> None:
        """React to one event, then to what the broker made of the new quotes."""
        async with self._turn:
            if isinstance(event, TickBatch):
                await self._place_planned(emit)
            await self._carry_out(self._executor.on_event(event, self._clock.now_ms()), emit)
            if isinstance(event, TickBatch) and isinstance(self._broker, PaperBroker):
                self._broker.on_quotes(self._executor.market.quotes)
            await self._take_updates(emit)

    async def finish(self, emit: Emit) -> None:
        """Send what was planned by the messages at hand: their plans are acknowledged at once."""
        async with self._turn:
            await self._place_planned(emit)
            await self._take_updates(emit)

    async def publish(self, events: Iterable[Event], emit: Emit) -> None:
        """Publish events of somebody else, between two messages, and have them acknowledged."""
        async with self._turn:
            for event in events:
                await emit(event)
            await self._bus.flush()

    async def flush(self) -> None:
        """Hold nothing: `finish` has sent what was planned."""

    def restore(self, event: Event) -> None:
        """Hand a past event to the domain."""
        self._executor.restore(event)

    async def begin(self, emit: Emit) -> None:
        """Settle orders of before a restart with the broker's order book."""
        book = await retrying(self._broker.orders, self._tell_trouble, lambda: False)
        await self._carry_out(self._executor.settle(book, self._clock.now_ms()), emit)
        await self._place_planned(emit)
        await self._bus.flush()

    async def on_updates(self, emit: Emit) -> None:
        """React to the updates that the broker sent by itself."""
        async with self._turn:
            await self._take_updates(emit)
            await self._place_planned(emit)
            await self._bus.flush()

    async def _take_updates(self, emit: Emit) -> None:
        while updates := self._broker.take_updates():
            now_ms = self._clock.now_ms()
            await self._carry_out(self._executor.on_updates(updates, now_ms), emit)

    async def _carry_out(self, effects: Iterable[Effect], emit: Emit) -> None:
        for effect in effects:
            if isinstance(effect, PlaceOrder):
                self._planned.append(effect.order)
            elif isinstance(effect, CancelOrder):
                await self._cancel(effect)
            elif isinstance(effect, LookUp):
                await self._let_book_decide(effect, emit)
            else:
                if isinstance(effect, OrderUnresolved):
                    self._log.error("an order is in doubt", tag=effect.tag, reason=effect.reason)
                await emit(effect)

    async def _place_planned(self, emit: Emit) -> None:
        """Have all plans acknowledged, then send their orders one by one, and what follows."""
        while self._planned:
            orders, self._planned = self._planned, []
            await self._bus.flush()
            acknowledged_ms = monotonic_ms()
            for order in orders:
                if monotonic_ms() - acknowledged_ms > CALL_WITHIN_MS:
                    await self._bus.confirm()
                    acknowledged_ms = monotonic_ms()
                await self._place(order, emit)

    async def _place(self, order: Order, emit: Emit) -> None:
        try:
            broker_order_id = await self._broker.place(order.request())
        except OrderRefused as refused:
            event: OrderEvent = order.rejected(str(refused), self._clock.now_ms())
        except OrderUnknown as unknown:
            await self._look_up(order, str(unknown), emit)
            return
        else:
            event = order.placed(broker_order_id, self._clock.now_ms())
        await self._learn(order, event, emit)

    async def _cancel(self, asked: CancelOrder) -> None:
        """Ask the broker; a request that fails is made again later, the order being watched."""
        try:
            await self._broker.cancel(asked.broker_order_id)
        except BrokerError as error:
            tag = asked.order.plan.tag
            self._log.warning("a cancellation failed", tag=tag, reason=str(error))

    async def _look_up(self, order: Order, reason: str, emit: Emit) -> None:
        """Find out by the tag what became of an order whose reply is in doubt.

        An order that is not found yet stays in doubt: it may still arrive, and is then adopted.
        """
        book = await self._book() or ()
        found = [update for update in book if update.tag == order.plan.tag]
        now_ms = self._clock.now_ms()
        if found:
            await self._learn(order, order.placed(found[0].broker_order_id, now_ms), emit)
            await self._carry_out(self._executor.on_updates(found, now_ms), emit)
        else:
            await self._learn(order, order.unresolved(reason, now_ms), emit)

    async def _let_book_decide(self, asked: LookUp, emit: Emit) -> None:
        """Hand the book to the domain; one that cannot be read decides nothing."""
        book = await self._book()
        if book is not None:
            now_ms = self._clock.now_ms()
            await self._carry_out(self._executor.on_book(asked, book, now_ms), emit)

    async def _book(self) -> Sequence[OrderUpdate] | None:
        try:
            return await self._broker.orders()
        except BrokerError as error:
            self._log.warning("the order book cannot be read", reason=str(error))
            return None

    async def _learn(self, order: Order, event: OrderEvent, emit: Emit) -> None:
        now_ms = self._clock.now_ms()
        await self._carry_out(self._executor.on_event_of_order(order, event, now_ms), emit)

    def _tell_trouble(self, error: Exception) -> None:
        self._log.warning("the broker does not answer, trying again", reason=str(error))


@dataclass(frozen=True, slots=True)
class _Watch:
    """Keeps a venue at work beside the inputs and hands its updates to the handler."""

    venue: Venue
    handler: ExecutorHandler

    async def run(self, emit: Emit) -> None:
        """Go on until cancelled; what the venue or the handling raises ends the service."""
        tasks = [asyncio.create_task(self.venue.run()), asyncio.create_task(self._hand_on(emit))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _hand_on(self, emit: Emit) -> None:
        while True:
            await self.venue.updated()
            handling = asyncio.create_task(self.handler.on_updates(emit))
            try:
                await asyncio.shield(handling)
            except asyncio.CancelledError:
                await handling  # what was begun is published whole
                raise


def _measure(executor: OptionsExecutor, venue: Venue | None, measured: TradingMetrics) -> None:
    risk, working = executor.risk, executor.blotter.working()
    measured.is_halted.set(risk.halted_because is not None)
    for mode in get_args(Mode):
        measured.mode.labels(mode).set(mode == executor.mode)
    measured.working.set(len(working))
    measured.unresolved.set(sum(order.state == "unresolved" for order in working))
    measured.day_loss.set(float(risk.day_loss))
    measured.day_loss_limit.set(float(risk.capital * risk.limits.daily_loss))
    measured.at_risk.set(float(risk.at_risk))
    measured.at_risk_limit.set(float(risk.capital * risk.limits.capital_at_risk))
    for span_ms, left in (venue.budget() if venue else {}).items():
        measured.budget.labels(span_ms // 1000).set(left)


def make_service(settings: ExecutorSettings, parts: Parts, venue: Venue | None = None) -> Service:
    """Return the service around an OptionsExecutor; live mode is refused: the bus is not durable.

    Without a venue, orders of paper mode are filled here, from the quotes.
    """
    if settings.mode == "live":
        raise SettingsError(
            "executor.mode: live needs a durable bus, an arming and pre-trade checks, which this "
            "version does not have: use paper or logging_only"
        )
    policy = settings.policy()
    if venue is None:  # no order is on its way to a broker that lives in this process
        policy = replace(policy, orders=replace(policy.orders, doubt_ms=0))
    executor = OptionsExecutor(
        mode=settings.mode,
        policy=policy,
        market=OptionMarket(load_calendar(), policy.chain.rate),
        rulebook=load_rulebook(),
        risk=RiskBook(policy.limits, policy.sizing.capital),
    )
    broker: OrderClient = venue or PaperBroker(settings.paper)
    handler = ExecutorHandler(executor, broker, parts.bus, parts.clock)
    inputs = Subscription(
        group="executor",
        topics=(
            "instruments",
            "ticks",
            "signal_generated",
            "exit_requests",
            "positions",
            "control",
        ),
        handler=handler,
        restore_topics=(
            "instruments",
            "decisions",
            "orders",
            "exit_requests",
            "positions",
            "control",
        ),
        finish=handler.finish,
        is_atomic=True,
        handles_money=True,
    )
    tables = {
        "decisions": (("decisions",), rows.decisions),
        "orders": (("orders",), rows.orders),
        "options_data": (("option_chains",), rows.options_data),
    }

    def describe() -> dict[str, object]:
        at_venue = {"venue": venue.describe()} if venue else {}
        return {"mode": executor.mode, "is_busy": handler.is_busy, **at_venue}

    def state() -> TradingState:
        held = tuple(executor.blotter.held())
        return TradingState(executor.mode, settings.mode, executor.risk.halted_because, held)

    access = Access(settings.control.tokens, settings.control.per_minute)
    commands = CommandQueue(handler.publish, parts.clock)
    watch = (_Watch(venue, handler).run,) if venue else ()
    return Service(
        name="executor",
        subscriptions=(inputs, *parts.writers("executor", tables)),
        background=(*watch, commands.run) if access.tokens else watch,
        close=venue.close if venue else None,
        describe=describe,
        measure=lambda: _measure(executor, venue, parts.metrics.trading),
        router=control_router(access, commands, state) if access.tokens else None,
    )
