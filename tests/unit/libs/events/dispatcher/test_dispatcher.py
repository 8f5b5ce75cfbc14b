"""The dispatcher: who is offered what, in which order, and what is remembered of it."""

import asyncio
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.control import ServiceFailed, TradingHalted, TradingResumed
from libs.events.dispatcher.dispatcher import Dispatcher
from libs.events.dispatcher.subscriber import Statistics
from libs.events.event import Event
from libs.events.orders import OrderEvent, OrderFilled, OrderPlaced
from tests.unit.libs.events.dispatcher.dispatching import (
    FILLED,
    HALTED,
    PLACED,
    RESUMED,
    Seen,
    dispatch,
    fail,
    failure,
    hang,
    play,
)


@pytest.mark.parametrize(
    ("kinds", "seen"),
    [
        ((), ["OrderFilled", "OrderPlaced", "TradingHalted"]),
        (("*",), ["OrderFilled", "OrderPlaced", "TradingHalted"]),
        ((OrderFilled,), ["OrderFilled"]),
        (("OrderFilled",), ["OrderFilled"]),
        ((OrderEvent,), ["OrderFilled", "OrderPlaced"]),
        (("Order*",), ["OrderFilled", "OrderPlaced"]),
        ((OrderPlaced, "TradingHalted"), ["OrderPlaced", "TradingHalted"]),
        ((TradingResumed,), []),
    ],
)
def test_a_subscriber_gets_the_kinds_it_asked_for(
    kinds: tuple[type[Event] | str, ...], seen: list[str]
) -> None:
    handler = Seen()

    async def story(dispatcher: Dispatcher) -> None:
        dispatcher.subscribe(handler, *kinds)
        await dispatch(dispatcher, FILLED, PLACED, HALTED)

    play(story)
    assert handler == seen


def test_a_name_that_no_event_has_is_refused() -> None:
    with pytest.raises(ValueError, match="no event type is called 'OrderFiled'; known: TickBatch"):
        Dispatcher().subscribe(hang, "OrderFiled")


def test_a_filter_chooses_among_the_kinds() -> None:
    handler = Seen()

    async def story(dispatcher: Dispatcher) -> None:
        def is_even(event: ServiceFailed) -> bool:
            return int(event.reason) % 2 == 0

        subscriber = dispatcher.subscribe(handler, ServiceFailed, where=is_even)
        await dispatch(dispatcher, *(failure(f"{number}") for number in range(5)), HALTED)
        assert (subscriber.statistics.handled, subscriber.statistics.filtered) == (3, 2)

    assert play(story).dead_letters == ()
    assert handler == ["0", "2", "4"]


def test_a_filter_that_fails_hurts_only_its_own_subscriber() -> None:
    handler = Seen()

    async def story(dispatcher: Dispatcher) -> None:
        dispatcher.subscribe(hang, name="broken", where=lambda event: event.no_such_field > 0)
        dispatcher.subscribe(handler)
        await dispatch(dispatcher, HALTED)

    (letter,) = play(story).dead_letters
    assert (letter.subject, letter.subscriber) == (HALTED, "broken")
    assert letter.reason.startswith("AttributeError: ")
    assert handler == ["TradingHalted"]


def test_a_higher_priority_is_offered_an_event_first() -> None:
    order: list[str] = []

    async def story(dispatcher: Dispatcher) -> None:
        for name, priority in (("low", -1), ("a", 0), ("high", 10), ("b", 0)):
            dispatcher.subscribe(Seen(name, order), name=name, priority=priority)
        names = [subscriber.terms.name for subscriber in dispatcher.subscribers]
        assert names == ["high", "a", "b", "low"]
        await dispatch(dispatcher, HALTED, RESUMED)

    play(story)
    assert order == ["high", "a", "b", "low"] * 2


@given(st.lists(st.sampled_from([0.0, 0.0, 0.001]), max_size=15))
def test_a_subscriber_gets_events_in_the_order_of_dispatch(pauses: list[float]) -> None:
    seen: list[int] = []

    async def slow(event: ServiceFailed) -> None:
        await asyncio.sleep(pauses[int(event.reason)])
        seen.append(int(event.reason))

    async def story(dispatcher: Dispatcher) -> None:
        dispatcher.subscribe(slow)
        await dispatch(dispatcher, *(failure(f"{number}") for number in range(len(pauses))))

    play(story)
    assert seen == list(range(len(pauses)))


def test_one_event_at_a_time_is_handled_by_a_subscriber() -> None:
    at_work, most = 0, 0

    async def counting(_event: Event) -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0.001)
        at_work -= 1

    async def story(dispatcher: Dispatcher) -> None:
        dispatcher.subscribe(counting)
        await dispatch(dispatcher, *[HALTED] * 10)

    play(story)
    assert most == 1


def test_the_last_events_are_remembered_and_found_by_kind() -> None:
    async def story(dispatcher: Dispatcher) -> None:
        await dispatch(dispatcher, HALTED, RESUMED, FILLED, PLACED)
        assert dispatcher.history() == [RESUMED, FILLED, PLACED]
        assert dispatcher.history(OrderEvent) == [FILLED, PLACED]
        assert dispatcher.history("Trading*", OrderPlaced) == [RESUMED, PLACED]
        assert dispatcher.history(TradingHalted) == []

    play(story, Dispatcher(remembered=3))


def test_what_became_of_events_is_counted_by_subscriber_and_by_type() -> None:
    async def story(dispatcher: Dispatcher) -> None:
        fine = dispatcher.subscribe(Seen(), "Trading*")
        bad = dispatcher.subscribe(fail, TradingHalted, OrderFilled)
        await dispatch(dispatcher, HALTED, RESUMED, HALTED, FILLED, PLACED)
        assert (fine.statistics.dispatched, fine.statistics.handled) == (3, 3)
        assert (bad.statistics.dispatched, bad.statistics.failed) == (3, 3)

    by_type = play(story, Dispatcher(clock=lambda: 0.0)).statistics
    assert by_type == {
        "TradingHalted": Statistics(dispatched=2, handled=2, failed=2),
        "TradingResumed": Statistics(dispatched=1, handled=1),
        "OrderFilled": Statistics(dispatched=1, failed=1),
        "OrderPlaced": Statistics(dispatched=1),
    }


def test_the_time_in_handlers_is_counted_by_the_clock_given() -> None:
    ticking = count(step=5)

    async def story(dispatcher: Dispatcher) -> None:
        subscriber = dispatcher.subscribe(Seen())
        await dispatch(dispatcher, HALTED, HALTED)
        assert subscriber.statistics.seconds == 10.0

    dispatcher = play(story, Dispatcher(clock=lambda: float(next(ticking))))
    assert dispatcher.statistics["TradingHalted"].seconds == 10.0


def test_who_unsubscribed_gets_what_was_dispatched_before_and_nothing_more() -> None:
    handler, other = Seen(), Seen()

    async def story(dispatcher: Dispatcher) -> None:
        leaving = dispatcher.subscribe(handler)
        dispatcher.subscribe(other)
        for number in range(3):
            await dispatcher.dispatch(failure(f"{number}"))
        dispatcher.unsubscribe(leaving)
        await dispatch(dispatcher, failure("3"))
        assert not leaving.is_working

    play(story)
    assert handler == ["0", "1", "2"]
    assert other == ["0", "1", "2", "3"]


def test_a_handler_may_unsubscribe_itself() -> None:
    seen: list[str] = []

    async def story(dispatcher: Dispatcher) -> None:
        async def once(event: Event) -> None:
            dispatcher.unsubscribe(subscriber)
            seen.append(event.type)

        subscriber = dispatcher.subscribe(once)
        await dispatch(dispatcher, HALTED)
        await dispatch(dispatcher, RESUMED)

    play(story)
    assert seen == ["TradingHalted"]


def test_a_subscriber_may_join_before_the_start_and_while_it_runs() -> None:
    early, late = Seen(), Seen()
    dispatcher = Dispatcher()
    dispatcher.subscribe(early)

    async def story(dispatcher: Dispatcher) -> None:
        await dispatch(dispatcher, HALTED)
        dispatcher.subscribe(late)
        await dispatch(dispatcher, RESUMED)

    play(story, dispatcher)
    assert (early, late) == (["TradingHalted", "TradingResumed"], ["TradingResumed"])


def test_draining_waits_for_what_handlers_dispatch() -> None:
    handler = Seen()

    async def story(dispatcher: Dispatcher) -> None:
        async def count_down(event: ServiceFailed) -> None:
            await asyncio.sleep(0.001)
            if int(event.reason):
                await dispatcher.dispatch(failure(f"{int(event.reason) - 1}"))

        dispatcher.subscribe(count_down)
        dispatcher.subscribe(handler)
        await dispatch(dispatcher, failure("5"))
        assert handler == ["5", "4", "3", "2", "1", "0"]

    play(story)


def test_a_loop_of_dispatches_lets_handlers_work_meanwhile() -> None:
    async def story(dispatcher: Dispatcher) -> None:
        subscriber = dispatcher.subscribe(Seen())
        for _ in range(100):
            await dispatcher.dispatch(HALTED)
        assert subscriber.statistics.handled > 50

    play(story)
