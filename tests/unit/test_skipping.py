import asyncio
from time import monotonic

import pytest

from tests.skipping import run, skip


def test_timers_up_to_the_skipped_time_are_due_and_later_ones_are_not() -> None:
    rung: list[int] = []

    async def story() -> None:
        for seconds in (10, 1000):
            asyncio.get_running_loop().call_later(seconds, rung.append, seconds)
        await skip(20, times=3)

    run(story())
    assert rung == [10]


def test_who_sleeps_again_and_again_wakes_up_at_each_skip() -> None:
    woken: list[float] = []

    async def wake() -> None:
        while True:
            await asyncio.sleep(1)
            woken.append(monotonic())

    async def story() -> None:
        waking = asyncio.create_task(wake())
        await skip(1.5, times=4)
        waking.cancel()

    before = monotonic()
    run(story())
    assert len(woken) == 4
    assert woken[-1] - before < 4


def test_only_a_loop_that_can_skip_does_so() -> None:
    with pytest.raises(AssertionError, match="can skip"):
        asyncio.run(skip(1))
