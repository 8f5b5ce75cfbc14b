"""The dispatcher when handlers fail, hang or are ended: others go on, and nothing disappears."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.control import ServiceFailed
from libs.events.dispatcher.dispatcher import DeadLetter, Dispatcher
from libs.events.errors import BusClosed
from libs.events.event import Event
from libs.events.signals import SignalRejected
from tests.unit.libs.events.dispatcher.dispatching import (
    HALTED,
    RESUMED,
    Seen,
    dispatch,
    fail,
    failure,
    hang,
    play,
)
from tests.unit.libs.events.samples import sample


def test_a_hanging_handler_holds_up_no_other() -> None:
    handler = Seen()

    async def story(dispatcher: Dispatcher) -> None:
        stuck = dispatcher.subscribe(hang, priority=1)
        quick = dispatcher.subscribe(handler)
        for _ in range(100):
            await dispatcher.dispatch(HALTED)
        await quick.idle()
        assert (stuck.pending, quick.pending) == (100, 0)

    play(story)
    assert len(handler) == 100


def test_a_failing_handler_holds_up_neither_others_nor_its_next_event() -> None:
    handler = Seen()

    async def story(dispatcher: Dispatcher) -> None:
        failing = dispatcher.subscribe(fail, name="failing")
        dispatcher.subscribe(handler)
        await dispatch(dispatcher, HALTED, RESUMED)
        assert failing.statistics.failed == 2

    assert play(story).dead_letters == (
        DeadLetter(HALTED, "failing", "RuntimeError: no luck with TradingHalted"),
        DeadLetter(RESUMED, "failing", "RuntimeError: no luck with TradingResumed"),
    )
    assert handler == ["TradingHalted", "TradingResumed"]


def test_a_handler_that_takes_too_long_is_ended_and_goes_on_with_the_next_event() -> None:
    ended: list[str] = []

    async def slow(event: Event) -> None:
        try:
            await asyncio.sleep(0 if event is RESUMED else 60)
        finally:
            ended.append(event.type)

    async def story(dispatcher: Dispatcher) -> None:
        subscriber = dispatcher.subscribe(slow, name="slow", timeout_seconds=0.02)
        await dispatch(dispatcher, HALTED, RESUMED)
        assert (subscriber.statistics.timed_out, subscriber.statistics.handled) == (1, 1)

    letters = play(story).dead_letters
    assert letters == (DeadLetter(HALTED, "slow", "not handled within 0.02 s"),)
    assert ended == ["TradingHalted", "TradingResumed"]


def test_a_handler_that_takes_no_notice_of_its_end_has_timed_out() -> None:
    async def stubborn(_event: Event) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ValueError("another error") from None

    async def story(dispatcher: Dispatcher) -> None:
        dispatcher.subscribe(stubborn, timeout_seconds=0.02)
        await dispatch(dispatcher, HALTED)

    dispatcher = play(story)
    assert dispatcher.statistics["TradingHalted"].timed_out == 1
    assert dispatcher.dead_letters[0].reason == "not handled within 0.02 s"


def test_a_timeout_inside_a_handler_is_a_failure_of_the_handler() -> None:
    async def impatient(_event: Event) -> None:
        raise TimeoutError("the other side")

    async def story(dispatcher: Dispatcher) -> None:
        dispatcher.subscribe(impatient)
        await dispatch(dispatcher, HALTED)

    dispatcher = play(story)
    assert dispatcher.statistics["TradingHalted"].failed == 1
    assert dispatcher.dead_letters[0].reason == "TimeoutError: the other side"


def test_a_handler_that_ends_as_if_it_had_been_cancelled_has_failed() -> None:
    async def cancelled(_event: Event) -> None:
        raise asyncio.CancelledError

    async def story(dispatcher: Dispatcher) -> None:
        subscriber = dispatcher.subscribe(cancelled, name="odd")
        await dispatch(dispatcher, HALTED, RESUMED)
        assert subscriber.statistics.failed == 2

    assert [letter.reason for letter in play(story).dead_letters] == ["CancelledError: "] * 2


def test_a_handler_has_thirty_seconds_unless_it_asks_for_more() -> None:
    dispatcher = Dispatcher()
    assert dispatcher.subscribe(hang).terms.timeout_seconds == 30.0
    assert dispatcher.subscribe(hang, timeout_seconds=None).terms.timeout_seconds is None


def test_a_full_queue_refuses_and_others_still_get_the_event() -> None:
    handler = Seen()

    async def story(dispatcher: Dispatcher) -> None:
        full = dispatcher.subscribe(hang, name="full", capacity=2)
        other = dispatcher.subscribe(handler)
        for _ in range(5):
            await dispatcher.dispatch(HALTED)
        await other.idle()
        assert (full.pending, full.statistics.refused, full.statistics.dispatched) == (2, 3, 5)
        assert dispatcher.dead_letters == (DeadLetter(HALTED, "full", "its queue is full"),) * 3

    play(story)
    assert len(handler) == 5


@given(st.lists(st.sampled_from(["fine", "fail", "hang", "skip"]), max_size=12), st.booleans())
def test_every_event_of_a_subscriber_has_one_outcome(fates: list[str], drains: bool) -> None:
    async def fated(event: ServiceFailed) -> None:
        if event.reason == "hang":
            await asyncio.Event().wait()
        if event.reason == "fail":
            raise ValueError

    async def story(dispatcher: Dispatcher) -> None:
        dispatcher.subscribe(
            fated, where=lambda e: e.reason != "skip", timeout_seconds=0.001, capacity=8
        )
        for fate in fates:
            await dispatcher.dispatch(failure(fate))
        if drains:
            await dispatcher.drain()

    dispatcher = play(story)
    counts = dispatcher.subscribers[0].statistics
    bad = counts.failed + counts.timed_out + counts.refused + counts.abandoned
    assert counts.dispatched == len(fates) == counts.handled + counts.filtered + bad
    assert len(dispatcher.dead_letters) == bad
    assert not (drains and counts.abandoned)


def test_dead_letters_are_handed_over_and_only_the_last_are_kept() -> None:
    handed: list[str] = []

    async def hand_over(letter: DeadLetter) -> None:
        assert isinstance(letter.subject, ServiceFailed)
        handed.append(letter.subject.reason)

    async def story(dispatcher: Dispatcher) -> None:
        dispatcher.subscribe(fail)
        await dispatch(dispatcher, *(failure(f"{number}") for number in range(5)))

    dispatcher = play(story, Dispatcher(remembered_letters=2, on_dead_letter=hand_over))
    assert handed == ["0", "1", "2", "3", "4"]
    kept = [letter.subject for letter in dispatcher.dead_letters]
    assert kept == [failure("3"), failure("4")]


def test_a_dead_letter_that_cannot_be_handed_over_is_an_error_of_the_dispatcher() -> None:
    async def broken(_letter: DeadLetter) -> None:
        raise OSError("the disk is full")

    async def story() -> None:
        dispatcher = Dispatcher(on_dead_letter=broken)
        await dispatcher.start()
        dispatcher.subscribe(fail)
        await dispatcher.dispatch(HALTED)
        with pytest.raises(OSError, match="disk is full"):
            await dispatcher.drain()
        with pytest.raises(OSError, match="disk is full"):
            await dispatcher.dispatch(HALTED)
        with pytest.raises(OSError, match="disk is full"):
            await dispatcher.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(story())


def test_dispatching_is_refused_before_the_start_and_after_the_stop() -> None:
    async def story() -> None:
        dispatcher = Dispatcher()
        with pytest.raises(BusClosed, match="dispatch of TradingHalted"):
            await dispatcher.dispatch(HALTED)
        await dispatcher.start()
        await dispatcher.stop()
        with pytest.raises(BusClosed, match="dispatch of TradingHalted"):
            await dispatcher.dispatch(HALTED)
        assert dispatcher.history() == []

    asyncio.run(story())


def test_what_was_not_handled_when_it_stops_is_a_dead_letter() -> None:
    async def story(dispatcher: Dispatcher) -> None:
        dispatcher.subscribe(hang, name="stuck")
        leaving = dispatcher.subscribe(hang, SignalRejected, name="leaving")
        await dispatcher.dispatch(HALTED)
        await dispatcher.dispatch(rejected)
        dispatcher.unsubscribe(leaving)

    rejected, why = sample(SignalRejected), "stopped before it was handled"
    dispatcher = play(story)
    assert dispatcher.dead_letters == (
        DeadLetter(HALTED, "stuck", why),
        DeadLetter(rejected, "stuck", why),
        DeadLetter(rejected, "leaving", why),
    )
    assert dispatcher.statistics["TradingHalted"].abandoned == 1
    assert dispatcher.subscribers[0].pending == 0


def test_it_may_be_stopped_twice_and_started_again() -> None:
    handler = Seen()

    async def story() -> None:
        dispatcher = Dispatcher()
        dispatcher.subscribe(handler)
        for event in (HALTED, RESUMED):
            await dispatcher.start()
            await dispatcher.start()
            await dispatch(dispatcher, event)
            await dispatcher.stop()
            await dispatcher.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(story())
    assert handler == ["TradingHalted", "TradingResumed"]
