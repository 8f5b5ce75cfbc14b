"""Dispatches events to handlers inside one process.

Each subscriber has its own queue and task and gets events in the order of dispatch, so a slow,
failing or hanging handler does not delay others. A plain function is called in a thread, so it
may block. An event that was not handled becomes a dead letter with the reason.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from fnmatch import filter as names_like
from typing import Any, Self

from libs.events.bus import Bus, Consumer, Message, TopicPartition
from libs.events.codec import event_of
from libs.events.dispatcher.subscriber import (
    Handler,
    Kind,
    Report,
    Statistics,
    Subscriber,
    Terms,
    is_of,
)
from libs.events.errors import BusClosed, PoisonMessage
from libs.events.event import Event
from libs.events.topics import TOPIC_OF

TIMEOUT_SECONDS = 30.0
_FETCH_SECONDS = 0.1
_FETCH_RECORDS = 500


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a subscriber did not handle, or a message that cannot be read."""

    subject: Event | Message
    subscriber: str
    reason: str


class Dispatcher:
    """Dispatches events to subscribers by kind; keeps a history, counts and dead letters.

    The last dead letters are kept, and each is passed to `on_dead_letter`; an error of that
    function is raised by `dispatch`, `drain` and `stop`. `clock` returns seconds.
    """

    def __init__(
        self,
        *,
        remembered: int = 1000,
        remembered_letters: int = 1000,
        on_dead_letter: Callable[[DeadLetter], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._history: deque[Event] = deque(maxlen=remembered)
        self._letters: deque[DeadLetter] = deque(maxlen=remembered_letters)
        self._on_dead_letter = on_dead_letter
        self._clock = clock
        self._by_type: dict[str, Statistics] = {}
        self._subscribers: list[Subscriber] = []
        self._leaving: list[Subscriber] = []
        self._followers: dict[asyncio.Task[None], Consumer] = {}
        self._is_running = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def subscribe(
        self,
        handler: Handler,
        *kinds: Kind,
        name: str | None = None,
        where: Callable[[Any], bool] | None = None,
        priority: int = 0,
        timeout_seconds: float | None = TIMEOUT_SECONDS,
        capacity: int | None = None,
        off_loop: bool = False,
    ) -> Subscriber:
        """Call `handler` for the events of these kinds (none: all) for which `where` is true.

        Higher priorities get an event first. A full queue refuses events. An `async def` and
        `where` run on the loop and must not block it; `off_loop` runs an `async def` in a thread,
        on a loop of its own. A thread cannot be ended: after a timeout the next event is handled
        while the call still runs. With STUCK_CALLS such calls events are refused.
        """
        _refuse_unknown_names(kinds)
        name = name or str(getattr(handler, "__qualname__", type(handler).__name__))
        terms = Terms(name, handler, kinds, where, priority, timeout_seconds, capacity, off_loop)
        subscriber = Subscriber(terms, self._note, self._clock)
        self._subscribers.append(subscriber)
        self._subscribers.sort(key=lambda each: -each.terms.priority)
        if self._is_running:
            subscriber.start()
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Offer no more events to a subscriber; it still handles its queue."""
        self._subscribers.remove(subscriber)
        subscriber.leave()
        self._leaving = [each for each in self._leaving if each.is_working]
        self._leaving.append(subscriber)

    async def start(self) -> None:
        """Start the subscribers; events can be dispatched from now on."""
        if self._is_running:
            return
        self._is_running = True
        for subscriber in self._subscribers:
            subscriber.start()

    async def stop(self) -> None:
        """End all tasks at once; unhandled events become dead letters. `drain` waits for them.

        Must not be called by a handler, which would end itself.
        """
        self._is_running = False
        for follower in self._followers:
            follower.cancel()
        await asyncio.gather(*self._followers, return_exceptions=True)
        for consumer in self._followers.values():
            await consumer.close()
        abandoned = [(each, await each.end()) for each in self._everyone()]
        try:
            self._check()
            for subscriber, reports in abandoned:
                for report in reports:
                    await self._note(subscriber, report)
        finally:
            self._followers, self._leaving = {}, []

    async def dispatch(self, event: Event) -> None:
        """Queue an event for all matching subscribers; do not wait for them."""
        await asyncio.sleep(0)  # let the subscribers' tasks run
        if not self._is_running:
            raise BusClosed(f"dispatch of {event.type} on a dispatcher that is not started")
        self._history.append(event)
        self._counts_of(event).dispatched += 1
        wanting = [each for each in self._subscribers if each.wants(event)]
        for subscriber in [each for each in wanting if not each.offer(event)]:
            await self._note(subscriber, Report(event, "refused", reason="its queue is full"))

    async def drain(self) -> None:
        """Return when all events are handled, those dispatched by handlers included.

        Must not be called by a handler, which would wait for itself.
        """
        while busy := [each for each in self._everyone() if each.pending]:
            for subscriber in busy:
                await subscriber.idle()
        self._check()

    async def follow(self, bus: Bus, group: str, topics: Sequence[str]) -> None:
        """Join a consumer group and dispatch its events until `stop`, in a task of its own.

        Offsets are committed when all fetched events are handled or dead letters. An error of
        the bus ends the task and is raised by `drain` and `stop`.
        """
        if not self._is_running:
            raise BusClosed(f"group {group} on a dispatcher that is not started")
        consumer = await bus.subscribe(group, topics)
        task = asyncio.create_task(self._consume(consumer, group), name=f"follower {group}")
        self._followers[task] = consumer

    def history(self, *kinds: Kind) -> list[Event]:
        """Return the last events of these kinds (none: all), oldest first."""
        return [event for event in self._history if is_of(event, kinds)]

    @property
    def subscribers(self) -> tuple[Subscriber, ...]:
        """The subscribers, highest priority first."""
        return tuple(self._subscribers)

    @property
    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """The last dead letters, oldest first."""
        return tuple(self._letters)

    @property
    def statistics(self) -> dict[str, Statistics]:
        """Event type → counts over all subscribers; `dispatched` counts an event once."""
        return dict(self._by_type)

    async def _consume(self, consumer: Consumer, group: str) -> None:
        while True:
            messages = await consumer.fetch(_FETCH_RECORDS, _FETCH_SECONDS)
            for message in messages:
                await self._dispatch_message(message, group)
            await self.drain()
            await _commit(consumer, messages)

    async def _dispatch_message(self, message: Message, group: str) -> None:
        try:
            event = event_of(message)
        except PoisonMessage as poison:
            await self._keep(DeadLetter(message, group, str(poison)))
        else:
            await self.dispatch(event)

    async def _note(self, subscriber: Subscriber, report: Report) -> None:
        for counts in (subscriber, self._counts_of(report.event)):
            counts.count(report.outcome, report.seconds)
        if report.reason:
            await self._keep(DeadLetter(report.event, subscriber.terms.name, report.reason))

    async def _keep(self, letter: DeadLetter) -> None:
        self._letters.append(letter)
        if self._on_dead_letter is not None:
            await self._on_dead_letter(letter)

    def _counts_of(self, event: Event) -> Statistics:
        return self._by_type.setdefault(event.type, Statistics())

    def _everyone(self) -> list[Subscriber]:
        return [*self._subscribers, *self._leaving]

    def _check(self) -> None:
        for each in self._everyone():
            each.check()
        for follower in self._followers:
            if follower.done() and not follower.cancelled():
                follower.result()


async def _commit(consumer: Consumer, messages: Sequence[Message]) -> None:
    mine = consumer.assignment()
    offsets: dict[TopicPartition, int] = {
        message.topic_partition: message.offset + 1
        for message in messages
        if message.topic_partition in mine
    }
    if offsets:
        await consumer.commit(offsets)


def _refuse_unknown_names(kinds: Sequence[Kind]) -> None:
    for kind in kinds:
        if isinstance(kind, str) and not names_like(TOPIC_OF, kind):
            raise ValueError(f"no event type is called {kind!r}; known: {', '.join(TOPIC_OF)}")
