"""The position service in its shell: opened, left and closed, also across a restart."""

import asyncio
from datetime import date
from decimal import Decimal

from libs.events.positions import ExitRequested, PositionAlerted, PositionClosed, PositionEvent
from libs.runtime.clock import FeedClock, WallClock
from libs.runtime.service import Parts, Service
from libs.runtime.testing import ServiceHarness
from services.position.service import make_service
from services.position.settings import PositionSettings, PriceSettings
from tests import skipping
from tests.unit.services.position.builders import NOW, TOKEN, at, fill, position_id, ticks, updates

TOPICS = ("positions", "signal_updates", "exit_requests", "performance")


def make(parts: Parts) -> Service:
    return make_service(PositionSettings(), parts)


async def kinds(harness: ServiceHarness) -> list[str]:
    return [event.type for topic in TOPICS for event in await harness.published(topic)]


def test_a_fill_opens_a_position_its_stop_requests_an_exit_and_the_sale_closes_it() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as harness:
            await harness.publish(fill())
            assert await kinds(harness) == ["PositionOpened", "SignalActivated"]
            await harness.publish(ticks(83.0, NOW + 1000))
            (asked,) = await harness.published("exit_requests")
            assert isinstance(asked, ExitRequested)
            assert (asked.position_id, asked.reason) == (position_id(), "stop_loss")
            await harness.publish(fill("SELL", price="83.00", at_ms=NOW + 2000))
            closed = (await harness.published("positions"))[-1]
            assert isinstance(closed, PositionClosed)
            assert closed.exit_reason == "stop_loss"
            assert closed.realised == -37 * 75
            assert (await harness.published("signal_updates"))[-1].type == "SignalStopped"
            assert len(await harness.published("performance")) == 1

    asyncio.run(story())


def test_what_a_batch_says_of_the_machines_clock_is_taken_off_it() -> None:
    async def story() -> None:
        clock = WallClock()
        async with ServiceHarness(make, clock=clock) as harness:
            for offset_ms in (3000, 0):
                found = {"offset_ms": offset_ms, "received_ms": clock.now_ms()}
                await harness.publish(ticks(100.0, NOW + offset_ms).model_copy(update=found))
                assert clock.offset_ms == offset_ms

    asyncio.run(story())


def test_after_a_restart_the_position_is_restored_and_nothing_is_published_twice() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as first:
            await first.publish(fill(), ticks(83.0, NOW + 1000))
            before = await kinds(first)
        async with ServiceHarness(make, bus=first.bus) as second:
            assert second.runner.service.describe() == {"open_positions": 1, "warnings": []}
            await second.publish(fill(), ticks(82.0, NOW + 2000))
            assert await kinds(second) == before
            await second.publish(fill("SELL", price="82.00", at_ms=NOW + 3000))
            closed = (await second.published("positions"))[-1]
            assert isinstance(closed, PositionClosed)
            assert closed.exit_reason == "stop_loss"
            assert second.runner.service.describe()["open_positions"] == 0

    asyncio.run(story())


def test_a_sale_without_a_position_is_a_dead_letter_and_the_next_fill_counts() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as harness:
            await harness.publish(fill("SELL", of=2), fill(of=1))
            ((reason, _),) = await harness.dead_letters("orders")
            assert "without a position" in reason
            assert await kinds(harness) == ["PositionOpened", "SignalActivated"]

    asyncio.run(story())


def test_what_is_open_guarded_won_and_lost_today_is_measured() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as harness:
            assert harness.measured("positions_open") == 0
            await harness.publish(fill(), ticks(121.0, NOW + 1000))
            assert harness.measured("positions_open") == 1
            assert harness.measured("unrealised_pnl_rupees") == 75
            assert harness.measured("positions_unguarded") == 0
            await harness.publish(ticks(100.0, NOW + 62_000, token=TOKEN + 256))
            assert harness.measured("positions_unguarded") == 1, "its contract is not quoted"
            await harness.publish(ticks(83.0, NOW + 63_000))
            assert harness.measured("positions_unguarded") == 0
            await harness.publish(fill("SELL", price="83.00", at_ms=NOW + 64_000))
            closed = (await harness.published("positions"))[-1]
            assert isinstance(closed, PositionClosed)
            assert harness.measured("realised_pnl_rupees") == float(closed.net)
            assert harness.measured("positions_closed_total", "loss") == 1
            assert harness.measured("positions_closed_total", "win") is None
            assert harness.measured("positions_open") == 0
        async with ServiceHarness(make, bus=harness.bus) as second:
            second.clock.observe(NOW + 65_000)
            assert second.measured("realised_pnl_rupees") == float(closed.net), "also after it"

    asyncio.run(story())


def test_a_position_without_a_stop_is_unguarded() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as harness:
            await harness.publish(fill(stop_loss=Decimal(0)), ticks(121.0, NOW + 1000))
            assert harness.measured("positions_unguarded") == 1

    asyncio.run(story())


def test_yesterdays_result_is_not_todays() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as harness:
            await harness.publish(fill(), fill("SELL", price="83.00", at_ms=NOW + 1000))
            assert (harness.measured("realised_pnl_rupees") or 0) < -37 * 75
            await harness.publish(ticks(83.0, NOW + 24 * 3600 * 1000))
            assert harness.measured("realised_pnl_rupees") == 0

    asyncio.run(story())


def with_a_dead_feed(at_ms: int, machine_seconds: float) -> list[str]:
    """Return the reasons of the exits asked for after the feed's last tick."""
    passed = [0]

    async def story() -> list[str]:
        clock = FeedClock(1.0, lambda: passed[0])
        async with ServiceHarness(make, clock=clock) as harness:
            await harness.publish(fill(at_ms=at_ms - 1000), ticks(121.0, at_ms))
            assert await harness.published("exit_requests") == []
            passed[0] = round(machine_seconds * 1000)
            await skipping.skip(0.1, times=3)
            await harness.bus.idle()
            asked = await harness.published("exit_requests")
            return [one.reason for one in asked if isinstance(one, ExitRequested)]

    return skipping.run(story())


def test_a_feed_that_dies_at_15_14_does_not_keep_a_position_from_its_square_off() -> None:
    assert with_a_dead_feed(at(15, 14), 59.0) == []
    assert with_a_dead_feed(at(15, 14), 61.0) == ["square_off"]


def test_a_feed_that_dies_in_the_morning_does_so_neither_and_the_exit_is_asked_for_once() -> None:
    assert with_a_dead_feed(at(10, 30), 24 * 3600.0) == ["square_off"]


def test_orders_alone_drive_what_time_asks_for_as_well() -> None:
    async def story() -> None:
        async with ServiceHarness(make, clock=FeedClock(1.0, lambda: 0)) as harness:
            await harness.publish(fill(at_ms=at(15, 14)), ticks(121.0, at(15, 14)))
            await harness.publish(fill(of=2, at_ms=at(15, 16)))
            asked = await harness.published("exit_requests")
            assert {one.position_id for one in asked if isinstance(one, ExitRequested)} == {
                position_id(1),
                position_id(2),
            }

    asyncio.run(story())


def test_in_lockstep_an_order_ahead_of_its_tick_marks_nothing_at_the_price_before() -> None:
    """The fill bears the time of the tick that comes behind it."""

    async def story() -> None:
        async with ServiceHarness(make) as harness:
            await harness.publish(fill(), ticks(121.0, NOW + 59_000))
            await harness.publish(fill(of=2, at_ms=NOW + 60_000))
            assert "PositionUpdated" not in await kinds(harness)
            await harness.publish(ticks(125.0, NOW + 60_000))
            (marked,) = [
                one
                for one in await harness.published("positions")
                if one.type == "PositionUpdated" and isinstance(one, PositionEvent)
            ]
            assert marked.last_price == Decimal(125)

    asyncio.run(story())


def test_the_end_of_the_calendar_is_shown_and_measured_weeks_ahead() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as harness:
            assert harness.measured("calendar_days_left") == 42, "before there is a time"
            await harness.publish(ticks(None, at(10, 0, day=date(2026, 12, 2))))
            assert harness.measured("calendar_days_left") == 30
            assert harness.measured("rule_days_left") == 0
            warnings = harness.runner.service.describe()["warnings"]
            assert warnings[:2] == [
                "the calendar of trading days ends in 30 days: expiries beyond it are not known",
                "freeze quantity, NIFTY: known until 2026-08-31, not since",
            ]

    asyncio.run(story())


def test_what_is_wrong_with_a_position_is_published_on_control() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as harness:
            await harness.publish(fill(), ticks(121.0, NOW + 1000))
            await harness.publish(ticks(100.0, NOW + 62_000, token=TOKEN + 256))
            (alert,) = await harness.published("control")
            assert isinstance(alert, PositionAlerted)
            assert (alert.alert, alert.position_id) == ("unguarded", position_id())
            assert alert.reason == "no price since 10:30:01: only exits by time act"

    asyncio.run(story())


def test_a_price_is_as_old_as_the_settings_allow() -> None:
    def shorter(parts: Parts) -> Service:
        prices = PriceSettings(traded_within_ms=1000, updated_within_ms=2000)
        return make_service(PositionSettings(prices=prices), parts)

    async def story() -> None:
        async with ServiceHarness(shorter) as harness:
            old = {"price": 120.0, "at_ms": NOW + 3000, "last_trade_time": NOW + 1000}
            await harness.publish(fill(), updates({**old, "bid_price": 83.0, "ask_price": 130.0}))
            assert [one.type for one in await harness.published("exit_requests")] == [
                "ExitRequested"
            ]

    asyncio.run(story())
