"""The executor's endpoints under arbitrary requests, made from their own OpenAPI description."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from libs.events.control import ControlUsed, ModeChanged, TradingHalted, TradingResumed
from libs.events.event import Event
from libs.runtime.access import AccessToken, Scope, hash_of
from libs.runtime.http import HttpServer, make_app
from libs.runtime.service import Parts, Service
from libs.runtime.testing import ServiceHarness
from services.executor.settings import ControlSettings, ExecutorSettings
from tests.integration.processes import HOST, free_ports
from tests.proofs import examples
from tests.undisturbed import import_undisturbed, undisturbed
from tests.unit.services.executor.handling import paper_service

TOKENS: dict[Scope, str] = {"read": "looks", "operate": "halts", "trade": "closes"}
schemathesis, checks = map(import_undisturbed, ("schemathesis", "schemathesis.checks"))
Ok = import_undisturbed("schemathesis.core.result").Ok
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
CHANGES = (TradingHalted, TradingResumed, ModeChanged)
FUZZED = settings(examples(60), suppress_health_check=[HealthCheck.too_slow])


class Served:
    """An executor with its endpoints on a port, on a loop and thread of its own."""

    def __init__(self) -> None:
        self.port = free_ports(1)
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
            app = make_app(harness.runner.service, harness.runner.health, harness.metrics)
            server = HttpServer(app, HOST, self.port)
            serving = asyncio.create_task(server.run_until_stopped())
            self._is_up.set()
            await self._stopping.wait()
            server.close()
            await serving


def make(parts: Parts) -> Service:
    tokens = tuple(AccessToken(name=s, scope=s, sha256=hash_of(t)) for s, t in TOKENS.items())
    control = ControlSettings(tokens=tokens, per_minute=1_000_000)
    return paper_service(ExecutorSettings(mode="paper", control=control), parts)


@contextmanager
def served() -> Iterator[Served]:
    server = Served()
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def executor() -> Iterator[Served]:
    with undisturbed(), served() as server:  # more of schemathesis is imported as it is used
        yield server


def fuzz(executor: Served, token: str) -> None:
    """Ask each endpoint for everything that its description allows, and much that it does not."""
    api = schemathesis.openapi.from_url(f"{executor.url}/openapi.json")
    for result in api.get_all_operations():
        assert isinstance(result, Ok), "every endpoint is described well"

        @FUZZED
        @given(case=result.ok().as_strategy())
        def play(case: Any) -> None:
            case.call_and_validate(checks=CHECKS, headers={"Authorization": f"Bearer {token}"})

        play()


def test_a_stranger_breaks_nothing_and_changes_nothing(executor: Served) -> None:
    before = executor.control()
    fuzz(executor, "guessed")
    assert executor.control() == before, "not even a record: a stranger could fill the log"


def test_a_token_that_may_read_breaks_nothing_and_changes_nothing(executor: Served) -> None:
    before = executor.control()
    fuzz(executor, TOKENS["read"])
    made = executor.control()[len(before) :]
    assert [one.type for one in made if not isinstance(one, ControlUsed)] == []
    refused = [one for one in made if isinstance(one, ControlUsed) and one.action != "state"]
    assert refused
    assert {one.outcome for one in refused} == {"refused"}


def test_a_token_that_may_do_everything_breaks_nothing(executor: Served) -> None:
    fuzz(executor, TOKENS["trade"])
    assert {type(one) for one in executor.control()} >= set(CHANGES), "it did do something"


def test_every_endpoint_is_described(executor: Served) -> None:
    api = schemathesis.openapi.from_url(f"{executor.url}/openapi.json")
    assert set(api.raw_schema["paths"]) == {
        *("/health/live", "/health/ready", "/metrics", "/info"),
        *(f"/control/{name}" for name in ("state", "halt", "resume", "mode", "exit")),
    }
