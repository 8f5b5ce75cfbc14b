"""Sample events, handlers and a play for the dispatcher's tests."""

import asyncio
from collections.abc import Awaitable, Callable

from libs.events.control import ServiceFailed, TradingHalted, TradingResumed
from libs.events.dispatcher.dispatcher import Dispatcher
from libs.events.event import Event
from libs.events.orders import OrderFilled, OrderPlaced
from tests.unit.libs.events.samples import sample

Story = Callable[[Dispatcher], Awaitable[None]]
FILLED, PLACED = sample(OrderFilled), sample(OrderPlaced)
HALTED, RESUMED = sample(TradingHalted), sample(TradingResumed)


def failure(reason: str) -> ServiceFailed:
    """An event that is told from others by its reason."""
    return ServiceFailed.model_validate(sample(ServiceFailed).model_dump() | {"reason": reason})


class Seen(list[str]):
    """A handler that writes down what it is given."""

    def __init__(self, name: str = "", shared: list[str] | None = None) -> None:
        super().__init__()
        self._name = name
        self._shared = [] if shared is None else shared

    async def __call__(self, event: Event) -> None:
        self.append(getattr(event, "reason", "") if event.type == "ServiceFailed" else event.type)
        self._shared.append(self._name)


async def fail(event: Event) -> None:
    raise RuntimeError(f"no luck with {event.type}")


async def hang(_event: Event) -> None:
    await asyncio.Event().wait()


def play(story: Story, dispatcher: Dispatcher | None = None) -> Dispatcher:
    """Play a story on a running dispatcher; no task may be left behind."""

    async def run() -> Dispatcher:
        async with dispatcher or Dispatcher() as one:
            await asyncio.wait_for(story(one), 20)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return one

    return asyncio.run(run())


async def dispatch(dispatcher: Dispatcher, *events: Event) -> None:
    """Dispatch and wait until all is handled."""
    for event in events:
        await dispatcher.dispatch(event)
    await dispatcher.drain()
