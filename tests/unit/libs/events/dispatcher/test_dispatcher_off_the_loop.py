"""Handlers that may block: each runs in a thread, so that it holds up no other."""

import asyncio
import threading
from collections.abc import Awaitable, Iterator
from contextvars import ContextVar
from functools import partial

import pytest

from libs.events.control import ServiceFailed, TradingHalted
from libs.events.dispatcher.dispatcher import DeadLetter, Dispatcher
from libs.events.dispatcher.off_loop import STUCK_CALLS
from libs.events.event import Event
from tests.unit.libs.events.dispatcher.dispatching import (
    HALTED,
    RESUMED,
    Seen,
    dispatch,
    failure,
    play,
)

TIMEOUT = 0.05
STILL_RUNS = f"not handled within {TIMEOUT} s, its call still runs"
ALL_STUCK = f"{STUCK_CALLS} calls before it still run"


class Blocking:
    """A plain handler that blocks its thread at each event but those it is told to let pass."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.given: list[Event] = []
        self.threads: list[threading.Thread] = []

    def __call__(self, event: Event) -> None:
        self.threads.append(threading.current_thread())
        self.given.append(event)
        if event is not RESUMED:
            assert self.gate.wait(20), "nobody opened the gate"

    def open(self) -> None:
        """Let all calls come back, and wait until their threads have ended."""
        self.gate.set()
        for thread in self.threads:
            thread.join(20)


@pytest.fixture
def blocking() -> Iterator[Blocking]:
    handler = Blocking()
    yield handler
    handler.open()


def test_a_plain_function_runs_off_the_loop_and_in_the_order_of_dispatch() -> None:
    seen: list[tuple[str, bool]] = []

    def handle(event: ServiceFailed) -> None:
        seen.append((event.reason, threading.current_thread() is threading.main_thread()))

    async def story(dispatcher: Dispatcher) -> None:
        subscriber = dispatcher.subscribe(handle)
        await dispatch(dispatcher, *(failure(f"{number}") for number in range(50)))
        assert subscriber.statistics.handled == 50

    play(story)
    assert seen == [(f"{number}", False) for number in range(50)]


def test_while_a_handler_blocks_another_receives_and_the_blocked_one_times_out(
    blocking: Blocking,
) -> None:
    told: list[DeadLetter] = []
    others = Seen()

    async def tell(letter: DeadLetter) -> None:
        told.append(letter)

    async def story(dispatcher: Dispatcher) -> None:
        stuck = dispatcher.subscribe(blocking, name="stuck", timeout_seconds=TIMEOUT, priority=1)
        other = dispatcher.subscribe(others)
        await dispatcher.dispatch(HALTED)
        for number in range(20):
            await dispatcher.dispatch(RESUMED)
            await other.idle()
            assert len(others) == number + 2
        await dispatcher.drain()
        assert not blocking.gate.is_set()
        counts = stuck.statistics
        assert (counts.timed_out, counts.handled, counts.stuck) == (1, 20, 1)

    dispatcher = play(story, Dispatcher(on_dead_letter=tell))
    assert told == [DeadLetter(HALTED, "stuck", STILL_RUNS)]
    assert dispatcher.statistics["TradingHalted"].timed_out == 1


def test_calls_that_never_come_back_are_bounded_and_then_events_are_refused(
    blocking: Blocking,
) -> None:
    async def story(dispatcher: Dispatcher) -> None:
        stuck = dispatcher.subscribe(blocking, name="stuck", timeout_seconds=0.01)
        await dispatch(dispatcher, *[HALTED] * (STUCK_CALLS + 2))
        counts = stuck.statistics
        assert (counts.timed_out, counts.refused, counts.stuck) == (STUCK_CALLS, 2, STUCK_CALLS)
        assert len(blocking.threads) == STUCK_CALLS
        assert dispatcher.dead_letters[-1] == DeadLetter(HALTED, "stuck", ALL_STUCK)

    play(story)


def test_a_call_that_comes_back_late_makes_room_and_changes_no_count(blocking: Blocking) -> None:
    async def story(dispatcher: Dispatcher) -> None:
        stuck = dispatcher.subscribe(blocking, timeout_seconds=0.01)
        await dispatch(dispatcher, *[HALTED] * (STUCK_CALLS + 1))
        blocking.open()
        assert stuck.statistics.stuck == 0
        await dispatch(dispatcher, RESUMED)
        counts = stuck.statistics
        assert (counts.timed_out, counts.refused, counts.handled) == (STUCK_CALLS, 1, 1)

    play(story)


def test_a_late_error_of_a_call_that_timed_out_disturbs_nobody(blocking: Blocking) -> None:
    def fail_late(event: Event) -> None:
        blocking(event)
        raise ValueError("late")

    async def story(dispatcher: Dispatcher) -> None:
        dispatcher.subscribe(fail_late, TradingHalted, name="late", timeout_seconds=TIMEOUT)
        await dispatch(dispatcher, HALTED)
        blocking.open()
        await dispatch(dispatcher, RESUMED)

    assert play(story).dead_letters == (DeadLetter(HALTED, "late", STILL_RUNS),)


def test_stopping_does_not_wait_for_a_handler_that_blocks(blocking: Blocking) -> None:
    entered = threading.Event()

    def block(event: Event) -> None:
        entered.set()
        blocking(event)

    async def story(dispatcher: Dispatcher) -> None:
        subscriber = dispatcher.subscribe(block, name="stuck", timeout_seconds=None)
        await dispatcher.dispatch(HALTED)
        await dispatcher.dispatch(RESUMED)
        await asyncio.to_thread(entered.wait, 20)
        await dispatcher.stop()
        assert not blocking.gate.is_set()
        assert (subscriber.statistics.abandoned, subscriber.statistics.stuck) == (2, 1)

    why = "stopped before it was handled"
    dispatcher = play(story)
    assert dispatcher.dead_letters == (
        DeadLetter(HALTED, "stuck", f"{why}, its call still runs"),
        DeadLetter(RESUMED, "stuck", why),
    )
    assert all(thread.daemon for thread in blocking.threads)  # none keeps the process alive


def test_a_call_that_comes_back_after_the_loop_has_closed_is_no_error(blocking: Blocking) -> None:
    async def story(dispatcher: Dispatcher) -> None:
        dispatcher.subscribe(blocking, timeout_seconds=TIMEOUT)
        await dispatch(dispatcher, HALTED)

    dispatcher = play(story)
    blocking.open()
    assert dispatcher.subscribers[0].statistics.stuck == 0


def test_an_error_of_a_plain_function_is_a_failure_of_the_handler() -> None:
    def fail(_event: Event) -> None:
        raise ValueError("no luck")

    async def story(dispatcher: Dispatcher) -> None:
        subscriber = dispatcher.subscribe(fail, name="failing")
        await dispatch(dispatcher, HALTED, RESUMED)
        assert subscriber.statistics.failed == 2

    assert play(story).dead_letters == (
        DeadLetter(HALTED, "failing", "ValueError: no luck"),
        DeadLetter(RESUMED, "failing", "ValueError: no luck"),
    )


def test_an_error_that_no_future_can_hold_is_a_failure_and_not_a_hang() -> None:
    def exhausted(_event: Event) -> None:
        raise StopIteration

    async def story(dispatcher: Dispatcher) -> None:
        dispatcher.subscribe(exhausted, name="failing")
        await dispatch(dispatcher, HALTED)

    (letter,) = play(story).dead_letters
    assert "StopIteration" in letter.reason


def test_a_plain_function_that_returns_a_coroutine_is_awaited_on_the_loop() -> None:
    seen = Seen()

    def call(event: Event) -> Awaitable[None]:
        return seen(event)

    async def story(dispatcher: Dispatcher) -> None:
        dispatcher.subscribe(call)
        dispatcher.subscribe(partial(seen))
        await dispatch(dispatcher, HALTED)

    play(story)
    assert seen == ["TradingHalted"] * 2


def test_async_code_that_blocks_runs_off_the_loop_where_that_is_asked_for(
    blocking: Blocking,
) -> None:
    others = Seen()

    async def block(event: Event) -> None:
        await asyncio.sleep(0)
        blocking(event)

    async def story(dispatcher: Dispatcher) -> None:
        stuck = dispatcher.subscribe(
            block, name="stuck", timeout_seconds=TIMEOUT, off_loop=True, priority=1
        )
        other = dispatcher.subscribe(others)
        await dispatcher.dispatch(HALTED)
        await dispatcher.dispatch(RESUMED)
        await other.idle()
        assert others == ["TradingHalted", "TradingResumed"]
        await dispatcher.drain()
        assert (stuck.statistics.timed_out, stuck.statistics.handled) == (1, 1)

    assert play(story).dead_letters == (DeadLetter(HALTED, "stuck", STILL_RUNS),)


def test_async_code_that_stayed_on_the_loop_is_not_moved() -> None:
    threads = set()

    async def handle(_event: Event) -> None:
        threads.add(threading.current_thread())

    async def story(dispatcher: Dispatcher) -> None:
        dispatcher.subscribe(handle)
        await dispatch(dispatcher, HALTED)

    play(story)
    assert threads == {threading.main_thread()}


def test_the_context_of_the_subscriber_is_seen_in_its_thread() -> None:
    request: ContextVar[str] = ContextVar("request")
    seen: list[str] = []

    async def story(dispatcher: Dispatcher) -> None:
        request.set("42")
        dispatcher.subscribe(lambda _event: seen.append(request.get()))
        await dispatch(dispatcher, HALTED)

    play(story)
    assert seen == ["42"]
