import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from libs.broker.errors import OrderNotSent, RateLimited
from libs.broker.kite.budget import Budget
from libs.broker.kite.lanes import ORDERING_THREADS, Lane
from libs.broker.kite.leaving import MayLeave
from libs.broker.kite.limits import DAY_MS, REQUEST_CLASSES, KiteLimits, Rate
from tests import skipping
from tests.skipping import skip
from tests.unit.libs.broker.kite.servers import limits


def rates(*rates: Rate, kept: tuple[Rate, ...] = ()) -> KiteLimits:
    changed = limits(rates=dict.fromkeys(REQUEST_CLASSES, rates), cool_down_ms=500)
    return replace(changed, kept=dict.fromkeys(REQUEST_CLASSES, kept))


def lane_of(*some: Rate) -> Lane:
    return Lane("other", Budget(rates(*some), "other"))


def lanes_of(limits: KiteLimits, threads: int = ORDERING_THREADS) -> tuple[Lane, Lane, Budget]:
    """Return the lane of what is urgent, that of entries, and their budget."""
    budget = Budget(limits, "orders")
    urgent = Lane("urgent", budget, threads)
    return urgent, Lane("orders", budget, threads, first=urgent), budget


def leaves(may_leave: MayLeave) -> None:
    may_leave()


def until(moment: threading.Event) -> Callable[[MayLeave], None]:
    def waits(may_leave: MayLeave) -> None:
        may_leave()
        assert moment.wait(10)

    return waits


async def run_all(lane: Lane, number: int) -> list[tuple[int, float]]:
    """Run calls at once; return (number, time in seconds) as they happened."""
    happened: list[tuple[int, float]] = []

    def call(of: int, _: MayLeave) -> None:
        happened.append((of, time.monotonic()))

    try:
        await asyncio.gather(*(lane.run(partial(call, of)) for of in range(number)))
    finally:
        await lane.close()
    return happened


def test_requests_go_one_after_the_other_within_their_rate() -> None:
    async def play() -> list[tuple[int, float]]:
        return await run_all(lane_of(Rate(1, 60)), 4)

    happened = asyncio.run(play())
    assert [of for of, _ in happened] == [0, 1, 2, 3]
    assert happened[-1][1] - happened[0][1] >= 2 * 0.06  # three waits, less what a thread is late


def test_a_turn_that_is_too_far_away_is_refused_at_once() -> None:
    async def play() -> None:
        lane = lane_of(Rate(1, 60_000))
        await lane.run(leaves)
        with pytest.raises(RateLimited, match="used up") as caught:
            await lane.run(leaves)
        assert 50_000 < caught.value.retry_after_ms <= 60_000
        await lane.close()

    asyncio.run(play())


def test_a_lane_rests_after_too_many_requests() -> None:
    def refused(may_leave: MayLeave) -> None:
        may_leave()
        raise RateLimited("no", 100)

    async def play() -> float:
        lane = lane_of(Rate(1_000, 1))
        with pytest.raises(RateLimited):
            await lane.run(refused)
        start = time.monotonic()
        await lane.run(leaves)
        await lane.close()
        return time.monotonic() - start

    assert asyncio.run(play()) >= 0.05


def test_slow_requests_do_not_hold_up_each_other() -> None:
    meeting = threading.Barrier(3, timeout=5)

    def meet(_: MayLeave) -> None:
        meeting.wait()

    async def play() -> None:
        lane = lane_of(Rate(1_000, 1))
        await asyncio.gather(*(lane.run(meet) for _ in range(3)))
        await lane.close()

    asyncio.run(play())


def test_an_order_that_waits_is_given_back_as_soon_as_it_may_not_be_sent_any_more() -> None:
    may, asked = threading.Event(), list[int]()

    async def play() -> None:
        lane = Lane("orders", Budget(rates(Rate(1, 400)), "orders"))
        await lane.run(leaves)
        first, second = (
            asyncio.create_task(lane.run(lambda _: asked.append(1), lambda: not may.is_set()))
            for _ in range(2)
        )
        await skip(0.1)
        assert not first.done()
        may.set()
        await skip(0.1)
        for waiting in (first, second):  # also the one behind the other
            with pytest.raises(RateLimited) as caught:
                await waiting
            assert 0 < caught.value.retry_after_ms <= 400
        await lane.close()

    skipping.run(play())
    assert asked == []


def test_an_order_that_is_cancelled_while_it_waits_leaves_the_lane_as_it_was() -> None:
    async def play() -> None:
        lane = Lane("orders", Budget(rates(Rate(1, 300)), "orders"), 1)
        await lane.run(leaves)
        waiting = asyncio.create_task(lane.run(leaves, lambda: True))
        await skip(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await skip(0.3)
        await asyncio.wait_for(lane.run(leaves), 10)
        await lane.close()

    skipping.run(play())


def test_whenever_an_order_is_cancelled_its_thread_is_free_again() -> None:
    async def play() -> None:
        lane = Lane("orders", Budget(rates(Rate(1_000, 1)), "orders"), 1)
        for steps in range(8):
            sending = asyncio.create_task(lane.run(leaves, lambda: True))
            for _ in range(steps):
                await asyncio.sleep(0)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        await asyncio.wait_for(lane.run(leaves), 5)
        await lane.close()

    asyncio.run(play())


def test_whether_an_order_may_be_sent_is_asked_when_its_connection_is_open() -> None:
    may, begun, opened = [True], threading.Event(), threading.Event()

    def connects(may_leave: MayLeave) -> None:
        begun.set()
        assert opened.wait(10)
        may_leave()

    async def play() -> None:
        lane = lane_of(Rate(1_000, 1))
        sending = asyncio.create_task(lane.run(connects, lambda: may[0]))
        await asyncio.to_thread(begun.wait, 10)
        may[0] = False
        opened.set()
        with pytest.raises(OrderNotSent):
            await sending
        await lane.close()

    asyncio.run(play())


def test_what_is_urgent_waits_for_no_entry_and_no_reply() -> None:
    replied = threading.Event()

    async def play() -> None:
        urgent, entries, _ = lanes_of(rates(Rate(1_000, 1)), threads=2)
        slow = [asyncio.create_task(entries.run(until(replied))) for _ in range(5)]
        await asyncio.sleep(0.05)
        await asyncio.wait_for(urgent.run(leaves), 10)
        assert not any(one.done() for one in slow)
        replied.set()
        await asyncio.gather(*slow)
        await asyncio.gather(urgent.close(), entries.close())

    asyncio.run(play())


def test_a_reply_that_does_not_come_holds_up_no_other_entry() -> None:
    replied = threading.Event()

    async def play() -> None:
        urgent, entries, _ = lanes_of(rates(Rate(1_000, 1)))
        slow = [asyncio.create_task(entries.run(until(replied))) for _ in range(20)]
        await asyncio.wait_for(entries.run(leaves), 10)
        replied.set()
        await asyncio.gather(*slow)
        await asyncio.gather(urgent.close(), entries.close())

    asyncio.run(play())


def test_entries_leave_a_share_of_each_rate_to_what_is_urgent() -> None:
    async def play() -> None:
        limits = rates(Rate(5, 60_000), kept=(Rate(2, 60_000),))
        urgent, entries, budget = lanes_of(limits)
        for _ in range(3):
            await entries.run(leaves)
        with pytest.raises(RateLimited):
            await entries.run(leaves)
        for _ in range(2):
            await urgent.run(leaves)
        with pytest.raises(RateLimited):
            await urgent.run(leaves)
        assert budget.left(0) == {60_000: 0}
        await asyncio.gather(urgent.close(), entries.close())

    asyncio.run(play())


def test_of_a_day_entries_leave_a_share_too_and_a_new_day_begins_anew() -> None:
    budget = Budget(rates(Rate(5, DAY_MS), kept=(Rate(2, DAY_MS),)), "orders")
    budget.count_day(3)
    assert (budget.wait_ms(0, keeps=True), budget.wait_ms(0)) == (DAY_MS, 0)
    for _ in range(2):
        budget.take(0)
    assert budget.wait_ms(0) == DAY_MS
    budget.count_day(4)  # less than what is known
    assert budget.left(0) == {DAY_MS: 0}
    budget.begin_day()
    assert (budget.wait_ms(0, keeps=True), budget.left(0)) == (0, {DAY_MS: 5})


def test_an_entry_that_waits_is_overtaken_by_what_is_urgent() -> None:
    happened: list[str] = []

    async def play() -> None:
        urgent, entries, _ = lanes_of(rates(Rate(1, 400)))
        await entries.run(leaves)
        entry = asyncio.create_task(entries.run(lambda _: happened.append("entry")))
        await asyncio.sleep(0.01)
        exits = [
            asyncio.create_task(urgent.run(lambda _: happened.append("exit"))) for _ in range(2)
        ]
        for one in exits:
            await skip(0.45)
            await one
        await skip(0.45)
        await entry
        await asyncio.gather(urgent.close(), entries.close())

    skipping.run(play())
    assert happened == ["exit", "exit", "entry"]


def test_an_urgent_lane_says_that_it_waits_until_the_last_request_has_its_place() -> None:
    async def play() -> None:
        urgent, entries, budget = lanes_of(rates(Rate(10, 60_000)), threads=1)
        exits = [asyncio.create_task(urgent.run(leaves)) for _ in range(3)]
        await asyncio.sleep(0)
        while budget.left(0) != {60_000: 7}:
            assert urgent.is_waiting
            await asyncio.sleep(0)
        await asyncio.gather(*exits)
        assert not urgent.is_waiting
        await asyncio.gather(urgent.close(), entries.close())

    asyncio.run(play())


def test_a_request_that_leaves_late_counts_from_then_on_or_is_kept_back() -> None:
    budget = Budget(limits(rates=dict.fromkeys(REQUEST_CLASSES, (Rate(1, 1_000),))), "orders")
    taken_ms = budget.take(0)
    assert budget.leave(taken_ms, 700) == 700
    assert budget.wait_ms(1_000) == 700
    budget.take(1_700)
    with pytest.raises(RateLimited) as caught:
        budget.leave(700, 1_800)
    assert caught.value.retry_after_ms == 900


def test_requests_of_others_count_too() -> None:
    budget = Budget(rates(Rate(2, 1_000)), "orders")
    budget.take(900)
    budget.note(500, 1_000)
    budget.note(-500, 1_000)  # too long ago
    assert (budget.wait_ms(1_000), budget.left(1_000)) == (500, {1_000: 0})
