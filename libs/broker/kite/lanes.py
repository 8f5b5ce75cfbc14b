"""Lanes: each class of requests has its own threads and rate limit, so none waits for another."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from libs.broker.errors import RateLimited
from libs.broker.kite.limits import KiteLimits, RequestClass

T = TypeVar("T")

_THREADS = 4


class Lane:
    """Runs blocking requests of one class in threads, in order, within its rate limits.

    After a 429 it pauses for the cool-down. A request that would have to wait longer than that
    raises RateLimited.
    """

    def __init__(self, request_class: RequestClass, limits: KiteLimits) -> None:
        self._windows = limits.windows(request_class, limits.margin_ms)
        self._longest_wait_ms = limits.cool_down_ms + limits.margin_ms
        self._paused_until_ms = 0
        self._turn = asyncio.Lock()
        self._free_threads = asyncio.Semaphore(_THREADS)
        self._threads = ThreadPoolExecutor(_THREADS, f"kite-{request_class}")

    async def run(self, call: Callable[[], T]) -> T:
        """Return what the call returns, once its turn has come."""
        # Take a thread first, or the request would be sent later than the limit counts it.
        async with self._free_threads:
            await self._wait_for_turn()
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, call)
            except RateLimited as limited:
                self._paused_until_ms = _now_ms() + limited.retry_after_ms
                raise

    async def _wait_for_turn(self) -> None:
        async with self._turn:
            while (wait_ms := self._wait_ms()) > 0:
                if wait_ms > self._longest_wait_ms:
                    raise RateLimited("the rate limit is used up", wait_ms)
                await asyncio.sleep(wait_ms / 1_000)
            self._windows.take(_now_ms())

    def _wait_ms(self) -> int:
        now_ms = _now_ms()
        return max(self._windows.wait_ms(now_ms), self._paused_until_ms - now_ms)

    def left(self) -> dict[int, int]:
        """Return how many requests are left now by the span of each rate, in milliseconds."""
        return self._windows.left(_now_ms())

    async def close(self) -> None:
        """Wait for open requests, and end the threads."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)


def _now_ms() -> int:
    return int(asyncio.get_running_loop().time() * 1_000)
