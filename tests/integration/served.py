"""An executor whose endpoints are on a real port."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from libs.events.event import Event
from libs.runtime.http import HttpServer, make_app
from libs.runtime.service import Parts, Service
from libs.runtime.testing import ServiceHarness
from tests.integration.processes import HOST, free_ports

Make = Callable[[Parts], Service]


class Served:
    """An executor with its endpoints on a port, on a loop and thread of its own.

    The events are what it has handled before the first request.
    """

    def __init__(self, make: Make, events: Iterable[Event], port: int | None) -> None:
        self.port = port or free_ports(1)
        self._events = events
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))
        self._is_up, self._stopping = threading.Event(), asyncio.Event()
        self._harness = ServiceHarness(make)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        self._thread.start()
        assert self._is_up.wait(20)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(20)
        self._loop.close()

    def control(self) -> list[Event]:
        """Return what is on the control topic."""
        reading = self._harness.published("control")
        return asyncio.run_coroutine_threadsafe(reading, self._loop).result(20)

    async def _run(self) -> None:
        async with self._harness as harness:
            harness.runner.start_tasks()
            await harness.publish(*self._events)
            app = make_app(harness.runner.service, harness.runner.health, harness.metrics)
            server = HttpServer(app, HOST, self.port)
            serving = asyncio.create_task(server.run_until_stopped())
            self._is_up.set()
            await self._stopping.wait()
            server.close()
            await serving


@contextmanager
def served(make: Make, events: Iterable[Event] = (), port: int | None = None) -> Iterator[Served]:
    """Serve an executor until the end of the block."""
    server = Served(make, events, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()
