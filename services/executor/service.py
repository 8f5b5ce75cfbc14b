"""The executor service: signals and exit requests in, decisions and orders out.

The order of the order path: plan published → acknowledged by the bus → broker called. After any
doubt the tag is looked up in the order book before anything else.
"""

from collections.abc import Iterable, Sequence

from libs.broker.errors import OrderRefused, OrderUnknown
from libs.broker.paper import PaperBroker
from libs.broker.port import OrderUpdate
from libs.events.bus import Bus
from libs.events.event import Event
from libs.events.orders import OrderEvent
from libs.events.ticks import TickBatch
from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from libs.runtime.clock import Clock
from libs.runtime.consumer import Emit, Subscription
from libs.runtime.service import Parts, Service
from libs.runtime.settings import SettingsError
from services.executor.domain import rows
from services.executor.domain.commands import CancelOrder, Effect, PlaceOrder
from services.executor.domain.executor import OptionsExecutor
from services.executor.domain.market import Market
from services.executor.domain.order import Order
from services.executor.domain.risk import RiskBook
from services.executor.settings import ExecutorSettings


class ExecutorHandler:
    """Carries out what the domain decides, in order, against a paper broker."""

    def __init__(
        self, executor: OptionsExecutor, broker: PaperBroker, bus: Bus, clock: Clock
    ) -> None:
        self._executor = executor
        self._broker = broker
        self._bus = bus
        self._clock = clock

    async def handle(self, event: Event, emit: Emit) -> None:
        """React to one event, then to what the broker made of the new quotes."""
        await self._carry_out(self._executor.on_event(event, self._clock.now_ms()), emit)
        if isinstance(event, TickBatch):
            self._broker.on_quotes(self._executor.market.quotes)
        await self._take_updates(emit)

    async def flush(self) -> None:
        """Hold nothing: each effect is carried out when it is decided."""

    def restore(self, event: Event) -> None:
        """Hand a past event to the domain."""
        self._executor.restore(event)

    async def begin(self, emit: Emit) -> None:
        """Settle orders of before a restart with the broker's order book."""
        book = await self._broker.orders()
        await self._carry_out(self._executor.settle(book, self._clock.now_ms()), emit)

    async def _take_updates(self, emit: Emit) -> None:
        while updates := self._broker.take_updates():
            now_ms = self._clock.now_ms()
            await self._carry_out(self._executor.on_updates(updates, now_ms), emit)

    async def _carry_out(self, effects: Iterable[Effect], emit: Emit) -> None:
        for effect in effects:
            if isinstance(effect, PlaceOrder):
                await self._place(effect.order, emit)
            elif isinstance(effect, CancelOrder):
                await self._broker.cancel(effect.order.broker_order_id)
            else:
                await emit(effect)

    async def _place(self, order: Order, emit: Emit) -> None:
        await self._bus.flush()
        now_ms = self._clock.now_ms()
        try:
            broker_order_id = await self._broker.place(order.request())
            event: OrderEvent = order.placed(broker_order_id, now_ms)
        except OrderRefused as refused:
            event = order.rejected(str(refused), now_ms)
        except OrderUnknown as unknown:
            await self._look_up(order, str(unknown), emit)
            return
        await self._carry_out(self._executor.on_event_of_order(order, event, now_ms), emit)

    async def _look_up(self, order: Order, reason: str, emit: Emit) -> None:
        """Find out by the tag what became of an order whose reply is in doubt."""
        book: Sequence[OrderUpdate] = await self._broker.orders()
        found = [update for update in book if update.tag == order.plan.tag]
        now_ms = self._clock.now_ms()
        if found:
            placed = order.placed(found[0].broker_order_id, now_ms)
            await self._carry_out(self._executor.on_event_of_order(order, placed, now_ms), emit)
            await self._carry_out(self._executor.on_updates(found, now_ms), emit)
        else:
            event = order.unresolved(reason, now_ms)
            await self._carry_out(self._executor.on_event_of_order(order, event, now_ms), emit)


def make_service(settings: ExecutorSettings, parts: Parts) -> Service:
    """Return the service around an OptionsExecutor; live mode is refused: there is no broker."""
    if settings.mode == "live":
        raise SettingsError(
            "executor.mode: live needs a broker and a durable bus, and this version has neither: "
            "use paper or logging_only"
        )
    policy = settings.policy()
    executor = OptionsExecutor(
        mode=settings.mode,
        policy=policy,
        market=Market(load_calendar(), policy.chain.rate),
        rulebook=load_rulebook(),
        risk=RiskBook(policy.limits, policy.sizing.capital),
    )
    handler = ExecutorHandler(executor, PaperBroker(settings.paper), parts.bus, parts.clock)
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
    )
    tables = {
        "decisions": (("decisions",), rows.decisions),
        "orders": (("orders",), rows.orders),
        "options_data": (("option_chains",), rows.options_data),
    }
    return Service(
        name="executor",
        subscriptions=(inputs, *parts.writers("executor", tables)),
        describe=lambda: {"mode": settings.mode},
    )
