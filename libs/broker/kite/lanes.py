"""Lanes: each class of requests has its own threads and rate limit, so none waits for another.

Orders have two lanes, which share the account's rates: what is urgent goes first, and a share of
each rate is kept for it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from libs.broker.errors import OrderNotSent, RateLimited
from libs.broker.kite.budget import Budget
from libs.broker.kite.leaving import MayLeave
from libs.broker.port.orders import MaySend, always

T = TypeVar("T")

READING_THREADS = 8
ORDERING_THREADS = 32
"""Of each lane of orders: so many replies can be waited for at once."""
_ASK_SECONDS = 0.02
"""How often a request that waits asks whether it may still be sent."""


class Lane:
    """Runs blocking requests in threads, in order, within a budget.

    After a 429 it pauses for the cool-down. A request that would have to wait longer than that, or
    longer than it may, raises RateLimited.
    """

    def __init__(
        self,
        name: str,
        budget: Budget,
        threads: int = READING_THREADS,
        *,
        first: "Lane | None" = None,
    ) -> None:
        """With `first` this lane waits for that one, and takes nothing of what is kept for it."""
        self._budget = budget
        self._first = first
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._free_threads = asyncio.Semaphore(threads)
        self._threads = ThreadPoolExecutor(threads, f"kite-{name}")

    @property
    def is_waiting(self) -> bool:
        """Whether a request waits for its turn."""
        return self._waiting > 0

    async def run(self, call: Callable[[MayLeave], T], may_send: MaySend = always) -> T:
        """Return what the call returns, once its turn has come.

        The call gets what it must ask in its thread before its request leaves. Raises RateLimited
        if `may_send` says no while it waits, OrderNotSent if it says so at the end.
        """
        taken_ms, has_left = await self._turn_in_time(may_send), False
        loop = asyncio.get_running_loop()

        def may_leave() -> None:
            nonlocal taken_ms, has_left
            if not may_send():
                raise OrderNotSent("the order waited too long before it could be sent")
            taken_ms = self._budget.leave(taken_ms, _ms(loop), keeps=self._first is not None)
            has_left = True

        def free(_: Future[T]) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(self._free_threads.release)

        sending = self._threads.submit(call, may_leave)
        sending.add_done_callback(free)
        try:
            return await asyncio.wrap_future(sending)
        except RateLimited as limited:
            if has_left:
                self._budget.pause(_ms(loop) + limited.retry_after_ms)
            raise

    async def _turn_in_time(self, may_send: MaySend) -> int:
        """Take a thread and a place in the budget, while the request may be sent."""
        if may_send is always:
            return await self._take_turn()
        turn = asyncio.create_task(self._take_turn())
        try:
            while not (await asyncio.wait({turn}, timeout=_ASK_SECONDS))[0]:
                if not may_send():
                    wait_ms = self._wait_ms(asyncio.get_running_loop())
                    raise RateLimited("there is no room for it in time", wait_ms)
            return turn.result()
        except BaseException:
            if not turn.cancel() and not turn.cancelled() and turn.exception() is None:
                self._free_threads.release()  # it came a moment too late
            raise

    async def _take_turn(self) -> int:
        self._waiting += 1
        try:
            async with self._turn:
                return await self._take_thread_and_place()
        finally:
            self._waiting -= 1

    async def _take_thread_and_place(self) -> int:
        # Take a thread first, or the request would be sent later than the limit counts it.
        await self._free_threads.acquire()
        try:
            return await self._take_place()
        except BaseException:
            self._free_threads.release()
            raise

    async def _take_place(self) -> int:
        loop = asyncio.get_running_loop()
        while (wait_ms := self._wait_ms(loop)) > 0:
            if wait_ms > self._budget.longest_wait_ms:
                raise RateLimited("the rate limit is used up", wait_ms)
            await asyncio.sleep(wait_ms / 1_000)
        return self._budget.take(_ms(loop))

    def _wait_ms(self, loop: asyncio.AbstractEventLoop) -> int:
        wait_ms = self._budget.wait_ms(_ms(loop), keeps=self._first is not None)
        if self._first is not None and self._first.is_waiting:
            return max(1, wait_ms)
        return wait_ms

    async def close(self) -> None:
        """Wait for open requests, and end the threads."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)


def _ms(loop: asyncio.AbstractEventLoop) -> int:
    return int(loop.time() * 1_000)
