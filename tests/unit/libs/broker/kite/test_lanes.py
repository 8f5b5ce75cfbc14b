import asyncio
import threading
import time
from functools import partial

import pytest

from libs.broker.errors import RateLimited
from libs.broker.kite.lanes import Lane
from libs.broker.kite.limits import REQUEST_CLASSES, KiteLimits, Rate
from tests.unit.libs.broker.kite.servers import limits


def rates(*rates: Rate) -> KiteLimits:
    return limits(rates=dict.fromkeys(REQUEST_CLASSES, rates), cool_down_ms=500)


async def run_all(lane: Lane, number: int) -> list[tuple[int, float]]:
    """Run calls at once; return (number, time in seconds) as they happened."""
    happened: list[tuple[int, float]] = []

    def call(of: int) -> None:
        happened.append((of, time.monotonic()))

    try:
        await asyncio.gather(*(lane.run(partial(call, of)) for of in range(number)))
    finally:
        await lane.close()
    return happened


def test_requests_go_one_after_the_other_within_their_rate() -> None:
    async def play() -> list[tuple[int, float]]:
        return await run_all(Lane("quote", rates(Rate(1, 60))), 4)

    happened = asyncio.run(play())
    assert [of for of, _ in happened] == [0, 1, 2, 3]
    assert happened[-1][1] - happened[0][1] >= 2 * 0.06  # three waits, less what a thread is late


def test_a_turn_that_is_too_far_away_is_refused_at_once() -> None:
    async def play() -> None:
        lane = Lane("orders", rates(Rate(1, 60_000)))
        await lane.run(lambda: None)
        with pytest.raises(RateLimited, match="used up") as caught:
            await lane.run(lambda: None)
        assert 50_000 < caught.value.retry_after_ms <= 60_000
        await lane.close()

    asyncio.run(play())


def test_a_lane_rests_after_too_many_requests() -> None:
    def refused() -> None:
        raise RateLimited("no", 100)

    async def play() -> float:
        lane = Lane("other", rates(Rate(1_000, 1)))
        with pytest.raises(RateLimited):
            await lane.run(refused)
        start = time.monotonic()
        await lane.run(lambda: None)
        await lane.close()
        return time.monotonic() - start

    assert asyncio.run(play()) >= 0.05


def test_slow_requests_do_not_hold_up_each_other() -> None:
    meeting = threading.Barrier(3, timeout=5)

    async def play() -> None:
        lane = Lane("other", rates(Rate(1_000, 1)))
        await asyncio.gather(*(lane.run(meeting.wait) for _ in range(3)))
        await lane.close()

    asyncio.run(play())
