"""Lanes of requests: each class has threads and a count of its own, so none waits for another."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from libs.broker.errors import RateLimited
from libs.broker.kite.limits import KiteLimits, RequestClass

T = TypeVar("T")

_THREADS = 4


class Lane:
    """Runs blocking requests of one class in threads, first come first served, within its rates.

    After a 429 it rests for the cool-down. A request whose turn is further away than that is
    refused with RateLimited instead of waiting.
    """

    def __init__(self, request_class: RequestClass, limits: KiteLimits) -> None:
        self._windows = limits.windows(request_class, limits.margin_ms)
        self._patience_ms = limits.cool_down_ms + limits.margin_ms
        self._rests_until_ms = 0
        self._turn = asyncio.Lock()
        self._free_threads = asyncio.Semaphore(_THREADS)
        self._threads = ThreadPoolExecutor(_THREADS, f"kite-{request_class}")

    async def run(self, call: Callable[[], T]) -> T:
        """Return what the call returns, once its turn has come."""
        # The thread first: a turn that then waits for a thread would be used too late.
        async with self._free_threads:
            await self._wait_for_turn()
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, call)
            except RateLimited as limited:
                self._rests_until_ms = _now_ms() + limited.retry_after_ms
                raise

    async def _wait_for_turn(self) -> None:
        async with self._turn:
            while (wait_ms := self._wait_ms()) > 0:
                if wait_ms > self._patience_ms:
                    raise RateLimited("the allowance of requests is used up", wait_ms)
                await asyncio.sleep(wait_ms / 1_000)
            self._windows.take(_now_ms())

    def _wait_ms(self) -> int:
        now_ms = _now_ms()
        return max(self._windows.wait_ms(now_ms), self._rests_until_ms - now_ms)

    def left(self) -> dict[int, int]:
        """Return how many requests are left now by the span of each rate, in milliseconds."""
        return self._windows.left(_now_ms())

    async def close(self) -> None:
        """Wait for what is on its way, and end the threads."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)


def _now_ms() -> int:
    return int(asyncio.get_running_loop().time() * 1_000)
