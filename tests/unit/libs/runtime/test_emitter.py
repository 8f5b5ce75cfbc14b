"""How events leave a service: once, on their topic, with their cause, until the bus takes them."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import structlog

from libs.events.bus import Message
from libs.events.errors import BusRefused, BusUnavailable
from libs.runtime.emitter import Emitter
from libs.runtime.partition_state import CAUSE
from libs.runtime.retry import RetryUntilWell
from libs.runtime.stamping import Stamping
from tests.unit.libs.runtime.loops import Bench, asked, until

CAUSED_BY = Message("control", 0, 12, "", b"", 0)
Held = list[str]


def persistence(bench: Bench, held: Held) -> RetryUntilWell:
    bench.health.starting("echo")
    return RetryUntilWell(
        "echo",
        bench.metrics,
        bench.health,
        lambda: held.append("pause"),
        lambda: held.append("resume"),
    )


def with_emitter(work: Callable[[Bench, Emitter, RetryUntilWell, Held], Awaitable[None]]) -> None:
    async def story() -> None:
        bench, held = Bench(), list[str]()
        await bench.local.start()
        retried = persistence(bench, held)
        stamping = Stamping("echo", bench.clock)
        emitter = Emitter(bench.bus, bench.metrics, structlog.get_logger(), retried, stamping)
        await work(bench, emitter, retried, held)
        await bench.local.stop()

    asyncio.run(story())


async def headers_of(bench: Bench) -> list[dict[str, bytes]]:
    return [dict(message.headers) async for message in bench.local.read(["exit_requests"])]


def test_an_event_carries_its_cause_while_one_is_set() -> None:
    async def work(bench: Bench, emitter: Emitter, _: RetryUntilWell, __: Held) -> None:
        await emitter.emit(asked(1))
        emitter.cause = CAUSED_BY
        await emitter.emit(asked(2))
        named = [headers.get(CAUSE) for headers in await headers_of(bench)]
        assert named == [None, b"control/0/12"]

    with_emitter(work)


def test_what_was_published_before_a_crash_is_left_out_once() -> None:
    async def work(bench: Bench, emitter: Emitter, _: RetryUntilWell, __: Held) -> None:
        emitter.published = {asked(1).event_id}
        for number in (1, 2, 1):
            await emitter.emit(asked(number))
        assert await bench.events("exit_requests") == [asked(2), asked(1)]

    with_emitter(work)


def test_a_bus_in_trouble_is_tried_again_while_the_input_is_held() -> None:
    async def work(bench: Bench, emitter: Emitter, _: RetryUntilWell, held: Held) -> None:
        bench.bus.refusals = [BusUnavailable("away"), BusUnavailable("away")]
        emitting = asyncio.create_task(emitter.emit(asked(1)))
        await until(lambda: held == ["pause"], "the input is held")
        assert bench.health.report() == {"echo": "away"}
        await emitting
        assert held == ["pause", "resume"]
        assert bench.health.report() == {"echo": "ok"}
        assert await bench.events("exit_requests") == [asked(1)]

    with_emitter(work)


def test_what_cannot_be_mended_by_waiting_is_raised_at_once() -> None:
    async def work(bench: Bench, emitter: Emitter, _: RetryUntilWell, held: Held) -> None:
        bench.bus.refusals = [BusRefused("wrong password")]
        with pytest.raises(BusRefused):
            await emitter.emit(asked(1))
        assert not held

    with_emitter(work)


def test_one_that_is_to_stop_does_not_wait_for_the_bus() -> None:
    async def work(bench: Bench, emitter: Emitter, retried: RetryUntilWell, _: Held) -> None:
        bench.bus.refusals = [BusUnavailable("away")] * 9
        retried.is_stopping = True
        with pytest.raises(BusUnavailable):
            await emitter.emit(asked(1))

    with_emitter(work)


def test_what_is_published_is_logged_with_what_the_event_tells() -> None:
    async def work(bench: Bench, emitter: Emitter, _: RetryUntilWell, __: Held) -> None:
        with structlog.testing.capture_logs() as logged:
            await emitter.emit(asked(1))
        (line,) = logged
        assert (line["type"], line["reason"]) == ("ExitRequested", "manual")
        assert line["occurred_at"] == asked(1).occurred_at.isoformat()
        assert line["event_id"] == str(asked(1).event_id)

    with_emitter(work)
