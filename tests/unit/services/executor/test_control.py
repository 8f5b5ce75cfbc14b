"""The control endpoints of the executor, over HTTP, on the real service."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx
import pytest

from libs.events.control import ControlUsed, ModeChanged, TradingHalted
from libs.events.event import Event, utc_from_ms
from libs.events.orders import Mode
from libs.events.positions import ExitRequested
from libs.runtime.access import AccessToken, Scope, hash_of
from libs.runtime.clock import FeedClock
from libs.runtime.http import make_app
from libs.runtime.service import Parts, Service
from libs.runtime.subscription import Emit
from libs.runtime.testing import ServiceHarness
from services.executor.command_queue import CommandQueue, MakeEvents
from services.executor.domain.plans import position_id_of
from services.executor.settings import ControlSettings, ExecutorSettings
from tests.unit.services.executor.builders import DAY, NOW, chain_listed, chain_rows, signal, ticks
from tests.unit.services.executor.handling import Harness, be_away, paper_service

TOKENS: dict[Scope, str] = {"read": "looks", "operate": "halts", "trade": "closes"}
CONTROL = ControlSettings(
    tokens=tuple(AccessToken(name=s, scope=s, sha256=hash_of(t)) for s, t in TOKENS.items())
)
PATHS: dict[str, tuple[str, Scope]] = {
    "/control/state": ("GET", "read"),
    "/control/halt": ("POST", "operate"),
    "/control/resume": ("POST", "operate"),
    "/control/exit": ("POST", "operate"),
    "/control/mode": ("POST", "trade"),
}
Ask = Callable[..., Awaitable[httpx.Response]]


def make(parts: Parts) -> Service:
    return paper_service(ExecutorSettings(mode="paper", control=CONTROL), parts)


def play(story: Callable[[ServiceHarness, Ask], Awaitable[None]]) -> None:
    async def run() -> None:
        async with ServiceHarness(make) as harness:
            harness.runner.start_tasks()
            app = make_app(harness.runner.service, harness.runner.health, harness.metrics)
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://executor") as client:

                async def ask(
                    path: str,
                    token: str = "",
                    reason: str = "",
                    mode: str = "logging_only",
                    **more: bool,
                ) -> httpx.Response:
                    headers = {"Authorization": f"Bearer {token}"} if token else {}
                    method, _ = PATHS[path]
                    body: Any = {"reason": reason, **more} if method == "POST" else None
                    if path == "/control/mode":
                        body = {"reason": reason, "mode": mode}
                    answer = await client.request(method, path, headers=headers, json=body)
                    await harness.bus.idle()
                    return answer

                await story(harness, ask)

    asyncio.run(run())


async def used(harness: ServiceHarness) -> list[tuple[str, str, str]]:
    events = await harness.published("control")
    return [(e.action, e.token, e.outcome) for e in events if isinstance(e, ControlUsed)]


async def traded(harness: ServiceHarness) -> list[Event]:
    return await harness.published("orders")


async def market(harness: ServiceHarness) -> None:
    await harness.publish(*chain_listed(), ticks(chain_rows(), at_ms=NOW))


def test_a_halt_refuses_new_positions_until_trading_is_resumed() -> None:
    async def story(harness: ServiceHarness, ask: Ask) -> None:
        await market(harness)
        assert (await ask("/control/halt", "halts", "news")).json()["action"] == "halt"
        state = (await ask("/control/state", "looks")).json()
        assert state["halted_because"] == "halted by operate: news"
        await harness.publish(signal())
        assert await traded(harness) == []
        assert (await ask("/control/resume", "halts")).status_code == 200
        assert (await ask("/control/state", "looks")).json()["halted_because"] is None

    play(story)


def test_a_halt_by_a_message_that_was_set_aside_is_lifted_by_who_may_halt() -> None:
    async def story(harness: ServiceHarness, ask: Ask) -> None:
        await market(harness)
        at = utc_from_ms(NOW)
        envelope = TradingHalted.without_cause("orders", occurred_at=at, trading_day=DAY)
        await harness.publish(TradingHalted(**envelope, reason="a message was set aside"))
        state = (await ask("/control/state", "looks")).json()
        assert state["halted_because"] == "a message was set aside"
        assert (await ask("/control/resume", "halts")).status_code == 200
        await harness.publish(signal())
        assert await traded(harness) != []

    play(story)


@pytest.mark.usefixtures("_no_waits")
def test_a_command_is_not_lost_in_an_outage_of_the_bus() -> None:
    async def story(harness: ServiceHarness, ask: Ask) -> None:
        be_away(harness, times=2)
        assert (await ask("/control/halt", "halts", "news")).status_code == 200
        assert (await ask("/control/state", "looks")).json()["halted_because"] is not None

    play(story)


def test_an_exit_is_requested_once_for_each_open_position() -> None:
    async def story(harness: ServiceHarness, ask: Ask) -> None:
        await market(harness)
        await harness.publish(signal(), ticks(chain_rows(), at_ms=NOW + 1000))
        assert (await ask("/control/state", "looks")).json()["open_positions"] == 1
        for _ in range(2):
            assert (await ask("/control/exit", "halts")).json()["positions"] == 1
        asked = await harness.published("exit_requests")
        assert [one.reason for one in asked if isinstance(one, ExitRequested)] == ["manual"] * 2
        assert len({one.event_id for one in asked}) == 1
        exits = [one for one in await traded(harness) if one.type == "OrderPlanned"][1:]
        assert [one.model_dump()["leg"] for one in exits] == ["exit"]
        position = exits[0].model_dump()["position_id"]
        assert position == position_id_of(signal().signal_id)

    play(story)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("scope", ["", *TOKENS])
def test_a_request_beyond_the_scope_changes_nothing_and_is_recorded(path: str, scope: str) -> None:
    async def story(harness: ServiceHarness, ask: Ask) -> None:
        needed = PATHS[path][1]
        order = list(TOKENS)
        may = bool(scope) and order.index(scope) >= order.index(needed)  # type: ignore[arg-type]
        answer = await ask(path, TOKENS[scope] if scope else "")  # type: ignore[index]
        assert answer.status_code == (200 if may else 403 if scope else 401)
        action = path.rpartition("/")[2]
        expected = [(action, scope, "done" if may else "refused")] if scope else []
        assert await used(harness) == expected
        halted = [e for e in await harness.published("control") if isinstance(e, TradingHalted)]
        assert bool(halted) == (may and action == "halt")

    play(story)


def test_a_request_is_recorded_with_the_name_of_its_token_and_never_with_the_token() -> None:
    async def story(harness: ServiceHarness, ask: Ask) -> None:
        await ask("/control/halt", "halts", "because")
        await ask("/control/halt", "a stranger's")
        texts = [message.value.decode() for message in await harness.messages("control")]
        assert any("because" in text for text in texts)
        assert not any(token in text for text in texts for token in TOKENS.values())
        assert not any("stranger" in text for text in texts)

    play(story)


def test_too_many_requests_are_refused() -> None:
    async def story(harness: ServiceHarness, ask: Ask) -> None:
        statuses = [(await ask("/control/state", "looks")).status_code for _ in range(32)]
        assert statuses == [200] * 30 + [429] * 2
        for path in ("/control/halt", "/control/exit"):  # who watches too often can still act
            assert (await ask(path, "closes")).status_code == 200

    play(story)


@pytest.mark.parametrize("path", ["/control/state", "/control/exit", "/control/mode"])
def test_an_executor_that_has_not_restored_its_state_does_not_answer_from_an_empty_book(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.executor.command_queue.TIMEOUT_SECONDS", 0.01)

    async def run() -> None:
        async with ServiceHarness(make) as harness:  # its tasks are not started
            app = make_app(harness.runner.service, harness.runner.health, harness.metrics)
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://executor") as client:
                method = PATHS[path][0]
                body = {"mode": "logging_only"} if method == "POST" else None
                headers = {"Authorization": "Bearer closes"}
                answer = await client.request(method, path, headers=headers, json=body)
            assert answer.status_code == 503
            assert "the executor is starting" in answer.json()["detail"]
            assert await harness.published("control") == []

    asyncio.run(run())


def test_an_exit_cancels_an_entry_that_is_under_way() -> None:
    async def story(harness: ServiceHarness, ask: Ask) -> None:
        await market(harness)
        await harness.publish(signal())  # planned and sent; no quote has filled it yet
        assert (await ask("/control/exit", "halts")).json()["positions"] == 1
        await harness.publish(ticks(chain_rows(), at_ms=NOW + 1000))
        state = (await ask("/control/state", "looks")).json()
        assert (state["open_positions"], state["working_orders"]) == (0, 0)

    play(story)


def test_a_halt_with_square_off_leaves_nothing_that_can_open_and_sells_what_is_held() -> None:
    async def story(harness: ServiceHarness, ask: Ask) -> None:
        await market(harness)
        await harness.publish(signal())  # planned and sent; no quote has filled it yet
        answer = await ask("/control/halt", "halts", square_off=True)
        assert answer.json()["positions"] == 1
        await harness.publish(ticks(chain_rows(), at_ms=NOW + 1000))
        state = (await ask("/control/state", "looks")).json()
        assert (state["open_positions"], state["working_orders"]) == (0, 0)
        assert state["halted_because"] == "halted by operate"
        assert [e.reason for e in await exits(harness)] == ["manual"]

    play(story)


def test_a_halt_with_square_off_closes_what_was_opened_while_it_waited_for_its_turn() -> None:
    """A signal that is decided between the request and its publishing must not stay open."""
    desk = Harness()
    desk.hear(*chain_listed(), ticks(chain_rows(), at_ms=NOW))
    at = utc_from_ms(NOW)
    halt = TradingHalted(
        **TradingHalted.without_cause("a person", occurred_at=at, trading_day=DAY), reason="now"
    )
    seen: list[int] = []

    def make_events() -> list[Event]:
        seen.append(len(desk.executor.blotter.to_close()))
        return [halt]

    async def meanwhile() -> None:
        handling = asyncio.create_task(desk.handler.handle(signal(), desk.emit))
        await asyncio.sleep(0)  # the signal has the turn now
        await desk.handler.publish(make_events, desk.emit)
        await handling

    asyncio.run(meanwhile())
    assert seen == [1]


async def exits(harness: ServiceHarness) -> list[ExitRequested]:
    found = await harness.published("exit_requests")
    return [one for one in found if isinstance(one, ExitRequested)]


def test_a_halt_holds_when_it_is_acknowledged_although_signals_wait_before_it() -> None:
    desk = Harness()
    desk.hear(*chain_listed(), ticks(chain_rows(), at_ms=NOW))
    at = utc_from_ms(NOW)
    envelope = TradingHalted.without_cause("lag", occurred_at=at, trading_day=DAY)
    halt = TradingHalted(**envelope, reason="lag")
    asyncio.run(desk.handler.publish(lambda: [halt], desk.emit))
    desk.hear(signal(), halt)  # the halt comes again, from its topic
    assert "OrderPlanned" not in desk.log


def test_a_command_that_nobody_waits_for_any_more_is_not_carried_out_later() -> None:
    async def story() -> None:
        published: list[Event] = []
        released = asyncio.Event()

        async def publish(make_events: MakeEvents, _: Emit) -> None:
            await released.wait()  # a bus that hangs
            published.extend(make_events())

        async def emit(*_: Event) -> None:
            raise AssertionError("the queue publishes through its function")

        queue = CommandQueue(publish, FeedClock())
        running = asyncio.create_task(queue.run(emit))
        first, second, third = [queue.used("halt", "asha", "done", str(n)) for n in range(3)]
        for use in (first, second):
            with pytest.raises(TimeoutError):
                await queue.done(partial(list, [use]), 0.01)
        released.set()
        await queue.done(lambda: [third])
        running.cancel()
        assert published == [first, third]  # the first had begun: nobody knows how it ended

    asyncio.run(story())


def test_without_tokens_there_are_no_endpoints() -> None:
    async def story() -> None:
        async with ServiceHarness(
            lambda parts: paper_service(ExecutorSettings(), parts)
        ) as harness:
            assert harness.runner.service.router is None

    asyncio.run(story())


@pytest.mark.parametrize("body", ["{", '{"reason": 3}', f'{{"reason": "{"x" * 201}"}}', "[]"])
def test_an_invalid_body_is_refused_and_halts_nothing(body: str) -> None:
    async def run() -> None:
        async with ServiceHarness(make) as harness:
            harness.runner.start_tasks()
            app = make_app(harness.runner.service, harness.runner.health, harness.metrics)
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://executor") as client:
                headers = {"Authorization": "Bearer halts", "Content-Type": "application/json"}
                answer = await client.post("/control/halt", content=body, headers=headers)
            assert answer.status_code == 422
            assert await harness.published("control") == []

    asyncio.run(run())


def test_signals_after_a_change_of_mode_are_decided_in_it() -> None:
    async def story(harness: ServiceHarness, ask: Ask) -> None:
        await market(harness)
        assert (await ask("/control/mode", "closes", "lunch")).json()["action"] == "mode"
        assert (await ask("/control/state", "looks")).json()["mode"] == "logging_only"
        assert harness.measured("executor_mode", "logging_only") == 1
        assert harness.measured("executor_mode", "paper") == 0
        await harness.publish(signal())
        assert await traded(harness) == []
        (changed,) = [e for e in await harness.published("control") if isinstance(e, ModeChanged)]
        assert (changed.mode, changed.reason) == ("logging_only", "changed by trade: lunch")
        assert (await ask("/control/mode", "closes", mode="live")).status_code == 409

    play(story)


@pytest.mark.parametrize(
    ("settings_mode", "expected"), [("paper", "logging_only"), ("disabled", "disabled")]
)
def test_a_change_of_mode_survives_a_restart_but_not_other_settings(
    settings_mode: Mode, expected: Mode
) -> None:
    def other(parts: Parts) -> Service:
        return paper_service(ExecutorSettings(mode=settings_mode, control=CONTROL), parts)

    async def story(harness: ServiceHarness, ask: Ask) -> None:
        await ask("/control/mode", "closes")
        async with ServiceHarness(other, bus=harness.bus) as again:
            assert again.runner.service.describe()["mode"] == expected

    play(story)
