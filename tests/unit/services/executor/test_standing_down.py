"""While a flatten closes the account the executor sends nothing; afterwards entries are halted."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import httpx

from libs.events.control import TradingHalted
from libs.runtime.access import AccessToken, hash_of
from libs.runtime.clock import FeedClock, WallClock
from libs.runtime.flattening import Flattening, write_flattening
from libs.runtime.http import make_app
from libs.runtime.service import Parts, Service
from libs.runtime.testing import ServiceHarness
from services.executor.domain.resting_stop import RestingStopRules
from services.executor.service import make_service
from services.executor.settings import ControlSettings, ExecutorSettings
from services.executor.standing_down import StandDown
from tests.unit.services.executor.builders import NOW, chain_rows, exit_requested, ticks
from tests.unit.services.executor.test_venue import POSITION, DistantVenue, entered, kinds

BY = "asha on desk"


@dataclass
class Times:
    """The machine's clocks, moved by hand."""

    ms: int = 1_000_000

    def now(self) -> int:
        return self.ms


def lease(file: Path, until_ms: int, run: str = "one") -> None:
    write_flattening(file, Flattening(run, BY, until_ms))


def told_by(file: Path | None) -> tuple[StandDown, Times]:
    times = Times()
    return StandDown(file, times.now, times.now), times


def test_without_a_file_orders_are_sent(tmp_path: Path) -> None:
    stand_down, _ = told_by(tmp_path / "flattening.json")
    assert (stand_down.reason, stand_down.due_halt(FeedClock())) == ("", None)


def test_a_file_holds_orders_back_until_its_time(tmp_path: Path) -> None:
    file = tmp_path / "flattening.json"
    stand_down, times = told_by(file)
    lease(file, times.ms + 30_000)
    assert stand_down.reason == f"{BY} is flattening the account"
    times.ms += 30_000
    assert stand_down.reason == ""


def test_a_lease_that_is_renewed_holds_on(tmp_path: Path) -> None:
    file = tmp_path / "flattening.json"
    stand_down, times = told_by(file)
    lease(file, times.ms + 30_000)
    assert stand_down.reason
    lease(file, times.ms + 60_000)
    times.ms += 45_000
    assert stand_down.reason


def test_a_lease_from_beyond_any_lease_holds_nothing_back(tmp_path: Path) -> None:
    file = tmp_path / "flattening.json"
    stand_down, times = told_by(file)
    lease(file, times.ms + 3_600_000)  # the clock of the machine was set back
    assert stand_down.reason == ""


def test_a_file_that_cannot_be_read_holds_nothing_back(tmp_path: Path) -> None:
    file = tmp_path / "flattening.json"
    file.write_text('{"run": ')
    assert told_by(file)[0].reason == ""


def test_the_control_endpoint_holds_orders_back_for_a_while() -> None:
    stand_down, times = told_by(None)
    stand_down.for_seconds(30)
    assert stand_down.reason
    times.ms += 30_000
    assert stand_down.reason == ""


def test_one_flatten_halts_once_also_after_a_restart(tmp_path: Path) -> None:
    file, clock = tmp_path / "flattening.json", FeedClock()
    clock.observe(NOW)
    stand_down, times = told_by(file)
    lease(file, times.ms + 30_000)
    halted = stand_down.due_halt(clock)
    assert halted is not None
    assert halted.reason == f"flattened by {BY}"
    assert stand_down.due_halt(clock) is None
    restarted, _ = told_by(file)
    restarted.note(halted)
    assert restarted.due_halt(clock) is None
    assert file.exists(), "it still holds"


def test_the_file_of_a_flatten_that_is_over_is_removed_after_the_halt(tmp_path: Path) -> None:
    file, clock = tmp_path / "flattening.json", FeedClock()
    clock.observe(NOW)
    stand_down, times = told_by(file)
    lease(file, times.ms - 1)
    assert stand_down.due_halt(clock) is not None
    assert file.exists(), "a crash before the halt is published must not lose it"
    assert stand_down.due_halt(clock) is None
    assert not file.exists()


def test_a_flatten_that_begins_just_then_keeps_its_file(tmp_path: Path) -> None:
    file, clock = tmp_path / "flattening.json", FeedClock()
    clock.observe(NOW)
    stand_down, times = told_by(file)
    lease(file, times.ms - 1)
    assert stand_down.due_halt(clock) is not None
    lease(file, times.ms + 30_000, "two")
    assert stand_down.due_halt(clock) is None
    assert file.exists()
    assert stand_down.due_halt(clock) is not None, "the other one halts too"


TOKEN = "operates"
CONTROL = ControlSettings(
    tokens=(AccessToken(name="asha", scope="operate", sha256=hash_of(TOKEN)),)
)


def harness(venue: DistantVenue, file: Path | None) -> ServiceHarness:
    def make(parts: Parts) -> Service:
        stops = RestingStopRules(is_on=False)
        own = ExecutorSettings(mode="paper", venue="simulator", control=CONTROL, resting_stop=stops)
        return make_service(own, parts, venue, flattening=file)

    return ServiceHarness(make)


async def held(world: ServiceHarness, venue: DistantVenue) -> None:
    """Let an entry fill."""
    await entered(world)
    await kinds(world)
    venue.fill(0)
    await kinds(world)


async def exit_asked(world: ServiceHarness) -> None:
    """Ask for an exit, and let some seconds pass."""
    await world.publish(exit_requested(POSITION))
    for second in range(1, 6):
        at_ms = NOW + 60_000 + 1000 * second
        await world.publish(ticks(chain_rows(at_ms), at_ms=at_ms))
        await kinds(world)


def sides(venue: DistantVenue) -> list[str]:
    return [one.transaction_type for one in venue.requests]


def test_an_executor_that_stands_down_sends_nothing_and_halts_and_then_goes_on(
    tmp_path: Path,
) -> None:
    file = tmp_path / "flattening.json"

    async def story() -> None:
        venue = DistantVenue()
        async with harness(venue, file) as world:
            await held(world, venue)
            lease(file, WallClock().now_ms() + 50_000)
            await asyncio.sleep(0.25)
            await exit_asked(world)
            assert sides(venue) == ["BUY"]
            halts = [
                one for one in await world.published("control") if isinstance(one, TradingHalted)
            ]
            assert [one.reason for one in halts] == [f"flattened by {BY}"]
            lease(file, 1)
            await asyncio.sleep(0.25)
            for second in range(20, 24):
                at_ms = NOW + 60_000 + 1000 * second
                await world.publish(ticks(chain_rows(at_ms), at_ms=at_ms))
                await kinds(world)
            assert sides(venue) == ["BUY", "SELL"]

    asyncio.run(story())


def test_an_executor_that_is_told_by_its_endpoint_sends_no_exit() -> None:
    async def story() -> None:
        venue = DistantVenue()
        async with harness(venue, None) as world:
            await held(world, venue)
            app = make_app(world.runner.service, world.runner.health, world.metrics)
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                headers = {"Authorization": f"Bearer {TOKEN}"}
                body = {"reason": "flatten", "stand_down_seconds": 30}
                answer = await client.post("/control/halt", headers=headers, json=body)
            assert answer.status_code == 200
            await exit_asked(world)
            assert sides(venue) == ["BUY"]

    asyncio.run(story())


def test_without_a_flatten_the_same_exit_is_sent() -> None:
    async def story() -> None:
        venue = DistantVenue()
        async with harness(venue, None) as world:
            await held(world, venue)
            await exit_asked(world)
            assert sides(venue) == ["BUY", "SELL"]

    asyncio.run(story())
