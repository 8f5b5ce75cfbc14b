"""The executor in mode live at a simulator's account: only entries need an arming."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx

from libs.broker.errors import SessionExpired
from libs.broker.port import Margin, NetPosition
from libs.events.control import Armed, ControlUsed, Disarmed
from libs.events.embedded.bus import LocalBus
from libs.events.signals import ExecutionDecided
from libs.runtime.access import AccessToken, hash_of
from libs.runtime.http import make_app
from libs.runtime.service import Parts, Service
from libs.runtime.testing import ServiceHarness
from services.executor.domain.live.arming import SIMULATOR_SENTENCE
from services.executor.domain.plans import position_id_of
from services.executor.domain.policy import RiskLimits
from services.executor.service import make_service
from services.executor.settings import ControlSettings, ExecutorSettings, LiveSettings
from tests.unit.services.executor.builders import (
    LOT,
    NOW,
    at,
    chain_listed,
    chain_rows,
    exit_requested,
    signal,
    ticks,
)
from tests.unit.services.executor.test_venue import DistantVenue, kinds

TOKEN = "trades"
CONTROL = ControlSettings(
    tokens=(AccessToken(name="asha", scope="trade", sha256=hash_of(TOKEN)),), per_minute=1000
)
POSITION = position_id_of(signal().signal_id)


@dataclass
class Account(DistantVenue):
    """A simulator's account whose session can end."""

    is_logged_in: bool = True
    strangers: int = 0

    def session(self) -> None:
        if not self.is_logged_in:
            raise SessionExpired("the session is over: run `alphastocks login`")

    async def margins(self) -> dict[str, Margin]:
        """The funds that the settings take for granted."""
        return {"equity": Margin(Decimal(1_000_000), Decimal(0))}

    async def positions(self) -> list[NetPosition]:
        """What is held of the first order's contract, less what nobody can explain."""
        if not self.requests:
            return []
        first = self.requests[0]
        return [
            NetPosition(first.exchange, first.tradingsymbol, "NRML", self.held - self.strangers)
        ]


@dataclass
class Desk:
    """The harness, its account, and questions to its endpoints."""

    harness: ServiceHarness
    account: Account
    client: httpx.AsyncClient

    async def ask(self, action: str, **body: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = await self.client.post(f"/control/{action}", headers=headers, json=body)
        await self.harness.bus.idle()
        return answer

    async def arm(self, until: str = "15:00", **limits: int) -> httpx.Response:
        return await self.ask("arm", until=until, sentence=SIMULATOR_SENTENCE, **limits)

    async def state(self) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        found: dict[str, Any] = (await self.client.get("/control/state", headers=headers)).json()
        return found

    async def market(self, at_ms: int = NOW) -> None:
        await self.harness.publish(*chain_listed(), ticks(chain_rows(at_ms), at_ms=at_ms))
        await kinds(self.harness)

    async def signal(self, number: int = 1, now_ms: int = NOW) -> ExecutionDecided:
        """Publish a signal, and return what was decided."""
        await self.harness.publish(ticks(chain_rows(now_ms), at_ms=now_ms))
        await self.harness.publish(signal(number, now_ms))
        await kinds(self.harness)
        decided = await self.harness.published("decisions")
        last = decided[-1]
        assert isinstance(last, ExecutionDecided)
        return last

    async def disarmed(self) -> list[str]:
        events = await self.harness.published("control")
        return [one.cause for one in events if isinstance(one, Disarmed)]


Story = Callable[[Desk], Awaitable[None]]


def play(story: Story, account: Account | None = None, live: LiveSettings | None = None) -> None:
    asyncio.run(_played(story, account or Account(), None, live or LiveSettings()))


async def _played(story: Story, account: Account, bus: LocalBus | None, live: LiveSettings) -> None:
    def make(parts: Parts) -> Service:
        own = ExecutorSettings(
            mode="live",
            venue="simulator",
            control=CONTROL,
            limits=RiskLimits(positions_per_underlying=3),
            live=live,
        )
        return make_service(own, parts, account)

    async with ServiceHarness(make, bus=bus) as harness:
        harness.runner.start_tasks()
        app = make_app(harness.runner.service, harness.runner.health, harness.metrics)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://executor") as client:
            await story(Desk(harness, account, client))


def test_without_an_arming_an_entry_is_refused_with_the_reason_and_nothing_is_sent() -> None:
    async def story(desk: Desk) -> None:
        await desk.market()
        decided = await desk.signal()
        assert (decided.outcome, decided.reason) == ("refused", "not_armed")
        assert decided.numbers == {"why": "nobody has armed it"}
        assert desk.account.requests == []

    play(story)


def test_armed_an_entry_is_sent_with_the_lots_of_the_arming() -> None:
    async def story(desk: Desk) -> None:
        await desk.market()
        assert (await desk.arm(lots_a_trade=1)).status_code == 200
        state = await desk.state()
        assert (state["arming"]["by"], state["arming"]["why_not"]) == ("asha", "")
        decided = await desk.signal()
        assert (decided.outcome, decided.lots) == ("executed", 1)
        assert [one.quantity for one in desk.account.requests] == [LOT]

    play(story)


def test_an_arming_that_runs_out_in_mid_position_leaves_exits_as_they_are() -> None:
    async def story(desk: Desk) -> None:
        await desk.market()
        await desk.arm(until="10:45")
        await desk.signal()
        desk.account.fill(0)
        await kinds(desk.harness)
        late = at(10, 45)
        decided = await desk.signal(2, late)
        assert (decided.reason, decided.numbers["why"]) == ("not_armed", "its time is over")
        assert await desk.disarmed() == ["time"]
        await desk.harness.publish(exit_requested(POSITION), ticks(chain_rows(late), late + 1))
        await kinds(desk.harness)
        assert [one.transaction_type for one in desk.account.requests] == ["BUY", "SELL"]

    play(story)


def test_an_entry_that_works_when_the_arming_ends_is_cancelled() -> None:
    async def story(desk: Desk) -> None:
        await desk.market()
        await desk.arm()
        await desk.signal()
        assert (await desk.ask("disarm", reason="news")).status_code == 200
        await kinds(desk.harness)
        assert desk.account.cancelled == [f"venue-{desk.account.requests[0].tag}"]
        assert (await desk.signal(2)).reason == "not_armed"

    play(story)


def test_its_last_trade_ends_an_arming_and_is_not_cancelled() -> None:
    async def story(desk: Desk) -> None:
        await desk.market()
        await desk.arm(trades=1)
        assert (await desk.signal()).outcome == "executed"
        assert await desk.disarmed() == ["trades"]
        await desk.harness.publish(ticks(chain_rows(), at_ms=NOW + 2000))
        assert desk.account.cancelled == []
        assert len(desk.account.requests) == 1
        assert (await desk.state())["arming"]["why_not"].startswith("it has opened")

    play(story)


def test_the_last_trade_that_works_is_cancelled_by_who_disarms() -> None:
    async def story(desk: Desk) -> None:
        await desk.market()
        await desk.arm(trades=1)
        await desk.signal()
        assert await desk.disarmed() == ["trades"]
        assert (await desk.ask("disarm", reason="news")).status_code == 200
        await kinds(desk.harness)
        assert desk.account.cancelled == [f"venue-{desk.account.requests[0].tag}"]
        assert await desk.disarmed() == ["trades", "asked"]

    play(story)


def test_a_session_that_ends_in_mid_position_refuses_entries_until_there_is_one_again() -> None:
    async def story(desk: Desk) -> None:
        await desk.market()
        await desk.arm()
        await desk.signal()
        desk.account.fill(0)
        desk.account.is_logged_in = False
        assert (await desk.signal(2)).reason == "no_session"
        assert len(desk.account.requests) == 1
        assert await desk.disarmed() == []

    play(story)


def test_without_a_session_an_armed_entry_is_refused() -> None:
    async def story(desk: Desk) -> None:
        await desk.market()
        await desk.arm()
        desk.account.is_logged_in = False
        assert (await desk.signal()).reason == "no_session"
        desk.account.is_logged_in = True
        assert (await desk.signal(2)).outcome == "executed"

    play(story)


def test_a_restart_restores_the_arming_and_what_it_has_used() -> None:
    async def story() -> None:
        account, kept = Account(), list[LocalBus]()

        async def before(desk: Desk) -> None:
            await desk.market()
            await desk.arm(trades=2)
            await desk.signal()
            kept.append(desk.harness.bus)

        async def after(desk: Desk) -> None:
            await desk.market(NOW + 1000)
            arming = (await desk.state())["arming"]
            assert (arming["by"], arming["trades_left"], arming["sentence"]) == ("asha", 1, "")

        await _played(before, account, None, LiveSettings())
        await _played(after, account, kept[0], LiveSettings())

    asyncio.run(story())


def test_a_quarantine_disarms_and_only_a_person_arms_again() -> None:
    async def story(desk: Desk) -> None:
        await desk.market()
        await desk.arm()
        await desk.signal()
        desk.account.fill(0)
        await kinds(desk.harness)
        desk.account.strangers = desk.account.held + LOT
        for seconds in range(0, 400, 5):
            later = NOW + 1000 * seconds
            await desk.harness.publish(ticks(chain_rows(later), at_ms=later))
            await kinds(desk.harness)
            if await desk.disarmed():
                break
        assert await desk.disarmed() == ["quarantine"]
        answer = await desk.arm()
        assert answer.status_code == 409
        assert "NIFTY" in answer.json()["detail"]

    play(story)


def test_an_arming_that_is_refused_is_on_record_and_arms_nothing() -> None:
    async def story(desk: Desk) -> None:
        await desk.market()
        answer = await desk.ask("arm", until="15:00")
        assert (answer.status_code, SIMULATOR_SENTENCE in answer.text) == (409, True)
        desk.account.is_logged_in = False
        assert "the session is over" in (await desk.arm()).json()["detail"]
        events = await desk.harness.published("control")
        assert not any(isinstance(one, Armed) for one in events)
        used = [one for one in events if isinstance(one, ControlUsed)]
        assert [(one.action, one.outcome) for one in used] == [("arm", "refused")] * 2

    play(story)


def test_a_change_of_mode_ends_the_arming_and_live_comes_back_unarmed() -> None:
    async def story(desk: Desk) -> None:
        await desk.market()
        await desk.arm()
        assert (await desk.ask("mode", mode="logging_only")).status_code == 200
        assert await desk.disarmed() == ["mode"]
        assert (await desk.ask("mode", mode="live")).status_code == 200
        assert (await desk.signal()).reason == "not_armed"

    play(story)
