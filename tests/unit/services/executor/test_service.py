import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import cast

import pytest
from structlog.testing import capture_logs

from libs.broker.errors import SessionMissing
from libs.broker.paper import PaperBroker
from libs.broker.port import Fill, OrderUpdate
from libs.events.bus import Bus
from libs.events.orders import OrderPlaced, OrderPlanned
from libs.runtime.metrics import Metrics
from libs.runtime.service import Parts, Service
from libs.runtime.settings import SettingsError
from libs.runtime.testing import ServiceHarness
from services.executor.domain.plans import position_id_of
from services.executor.service import make_service
from services.executor.settings import ExecutorSettings
from tests.skipping import run, skip
from tests.unit.services.executor.builders import (
    LOT,
    NOW,
    Row,
    chain_listed,
    chain_rows,
    exit_requested,
    signal,
    ticks,
)
from tests.unit.services.executor.handling import Harness, RecordingBus, paper_service, ready

POSITION = position_id_of(signal().signal_id)


def test_the_plan_is_acknowledged_by_the_bus_before_the_broker_is_called() -> None:
    harness = ready()
    harness.hear(signal())
    expected = ["OrderPlanned", "ExecutionDecided", "flush", "place BUY", "OrderPlaced"]
    assert harness.log == expected


def test_an_exit_is_acknowledged_before_the_broker_is_called_too() -> None:
    harness = ready()
    harness.hear(signal())
    harness.tick(500)
    harness.tick(60_000)
    harness.log.clear()
    harness.hear(exit_requested(POSITION))
    assert harness.log == ["OrderPlanned", "flush", "place SELL", "OrderPlaced"]


def test_a_refusal_of_the_broker_is_published_with_its_reason() -> None:
    harness = ready()
    harness.broker.refuses = True
    harness.hear(signal())
    told = ["place BUY", "OrderRejected", "RiskLimitReached", "SignalRejected"]
    assert harness.log[-4:] == told
    rejected = next(event for event in harness.events if event.type == "OrderRejected")
    assert "margin" in rejected.model_dump()["reason"]


def test_an_order_whose_reply_was_lost_is_found_by_its_tag_and_adopted() -> None:
    harness = ready()
    harness.broker.reply = "is lost"
    harness.hear(signal())
    assert harness.log[-3:] == ["place BUY", "look up", "OrderPlaced"]
    placed = next(event for event in harness.events if isinstance(event, OrderPlaced))
    assert placed.broker_order_id == f"paper-{harness.plans[0].tag}"


def test_an_entry_that_cannot_be_found_is_in_doubt_then_given_up_and_never_sent_again() -> None:
    harness = ready()
    harness.broker.reply = "is lost with the order"
    harness.hear(signal())
    assert harness.log[-3:] == ["place BUY", "look up", "OrderUnresolved"]
    harness.tick(14_999)
    assert harness.log[-1] == "OrderUnresolved"
    harness.tick(15_000)
    assert harness.log[-3:] == ["look up", "OrderCancelled", "SignalExpired"]
    harness.hear(signal())
    harness.tick(120_000)
    assert harness.log.count("place BUY") == 1


def test_an_exit_that_cannot_be_found_is_sent_again_only_when_it_can_no_longer_arrive() -> None:
    harness = ready()
    harness.hear(signal())
    harness.tick(500)
    harness.broker.reply = "is lost with the order"
    harness.tick(60_000)
    harness.hear(exit_requested(POSITION))
    harness.broker.reply = "arrives"
    harness.tick(60_000 + 14_999)  # the exit is asked for after a minute
    assert harness.log.count("place SELL") == 1
    harness.tick(60_000 + 15_000)
    assert harness.log.count("place SELL") == 2
    assert harness.log.count("OrderUnresolved") == 1
    first, anew = harness.plans[1:]
    assert (first.quantity, first.tag != anew.tag) == (anew.quantity, True)


def test_a_book_that_cannot_be_read_decides_nothing_and_is_read_again_later() -> None:
    harness = ready()
    harness.broker.reply = "is lost with the order"
    harness.hear(signal())
    harness.broker.has_book = False
    for after_ms in (15_000, 15_500, 19_999):
        harness.tick(after_ms)
    assert harness.log.count("look up") == 2
    harness.broker.has_book = True
    harness.tick(20_000)
    assert harness.log[-3:] == ["look up", "OrderCancelled", "SignalExpired"]


def test_a_paper_entry_fills_at_the_ask_once_its_latency_is_over() -> None:
    harness = ready()
    harness.hear(signal())
    harness.tick(499)
    assert "OrderFilled" not in harness.log
    harness.tick(500)
    assert harness.log[-1] == "OrderFilled"
    (entry,) = harness.plans
    ask = next(row for row in chain_rows() if row.instrument_token == token_of_entry(entry))
    filled = harness.events[-1].model_dump()
    assert filled["fill_price"] == Decimal(str(round(ask.ask_price, 2)))
    assert filled["fill_quantity"] == entry.quantity


def token_of_entry(entry: OrderPlanned) -> int:
    return entry.contract.instrument_token


def test_an_entry_partly_filled_is_cancelled_then_left_and_sold_by_its_fills() -> None:
    harness = ready()
    harness.hear(signal())
    harness.tick(500, ask_quantity=LOT)
    harness.tick(59_000, ask_quantity=0)
    harness.hear(exit_requested(POSITION))
    kinds = [event.type for event in harness.events]
    assert kinds[-3:] == ["OrderCancelled", "OrderPlanned", "OrderPlaced"]
    assert harness.plans[-1].quantity == LOT
    harness.hear(ticks(chain_rows(), at_ms=NOW + 61_000))
    assert harness.executor.blotter.holding(POSITION).sold == LOT


def test_an_entry_that_never_fills_expires() -> None:
    harness = ready()
    harness.hear(signal())
    harness.hear(ticks([], at_ms=NOW + 60_001))
    assert harness.log[-2:] == ["OrderCancelled", "SignalExpired"]


def test_beginning_settles_the_restored_orders_with_the_brokers_book() -> None:
    first = ready()
    first.hear(signal())
    again = Harness()
    for event in (*chain_listed(), *first.events):
        again.handler.restore(event)
    asyncio.run(again.handler.begin(again.emit))
    assert again.log == ["look up", "OrderUnresolved", "flush"]
    again.tick(0)
    again.tick(15_000)
    assert again.log[-3:] == ["look up", "OrderCancelled", "SignalExpired"]
    again.hear(signal())
    assert "place BUY" not in again.log


class LockedVenue(PaperBroker):
    """A venue whose book cannot be read before somebody logs in."""

    is_locked = True

    async def orders(self) -> Sequence[OrderUpdate]:
        if self.is_locked:
            raise SessionMissing("there is no session: run `alphastocks login`")
        return await super().orders()


def locked_out(*, waits: bool) -> tuple[ServiceHarness, LockedVenue]:
    settings = ExecutorSettings()
    venue = LockedVenue(settings.paper)
    make = partial(make_service, settings, venue=venue, waits=waits)
    return ServiceHarness(make), venue


def test_a_process_without_a_session_waits_for_a_login_and_is_ready_meanwhile() -> None:
    async def story() -> None:
        harness, venue = locked_out(waits=True)
        health = harness.runner.health
        await harness.bus.start()
        starting = asyncio.create_task(harness.runner.start())
        await skip(1, times=3)
        assert health.is_ready
        assert health.waiting.reason.startswith("a login at the broker (there is no session")
        venue.is_locked = False
        await skip(1)
        await starting
        assert (health.is_ready, health.waiting.reason) == (True, "")
        await harness.runner.stop()
        await harness.bus.stop()

    run(story())


def test_a_run_that_cannot_wait_fails_without_a_session() -> None:
    async def story() -> None:
        harness, _ = locked_out(waits=False)
        with pytest.raises(SessionMissing):
            await harness.__aenter__()
        await harness.bus.stop()

    asyncio.run(story())


def test_flushing_publishes_nothing() -> None:
    harness = ready()
    asyncio.run(harness.handler.flush())
    assert harness.log == []


def test_fills_of_the_book_are_adopted_with_a_lost_reply() -> None:
    harness = ready()
    known: list[OrderUpdate] = []

    async def with_a_fill() -> Sequence[OrderUpdate]:
        book = await PaperBroker.orders(harness.broker)
        known.extend(replace(one, fills=(Fill("f", LOT, Decimal(160)),)) for one in book)
        return known

    harness.broker.orders = with_a_fill  # type: ignore[method-assign]  # a book with a fill
    harness.broker.reply = "is lost"
    harness.hear(signal())
    assert harness.log[-2:] == ["OrderPlaced", "OrderFilled"]
    assert harness.executor.blotter.holding(POSITION).bought == LOT


def test_live_mode_refuses_to_start_on_paper_and_says_why() -> None:
    harness = Harness()
    parts = Parts(cast(Bus, RecordingBus(harness.log)), harness.clock, Metrics("executor"))
    with pytest.raises(SettingsError, match=r"executor\.venue: paper sends no orders"):
        paper_service(ExecutorSettings(mode="live"), parts)
    service = paper_service(ExecutorSettings(), parts)
    assert service.describe() == {
        "mode": "logging_only",
        "is_busy": False,
        "venue": {"orders": 0, "working": 0},
        "warnings": [],
    }


def test_at_the_start_it_logs_what_may_be_lost() -> None:
    harness = Harness()
    parts = Parts(cast(Bus, RecordingBus(harness.log)), harness.clock, Metrics("executor"))
    service = paper_service(ExecutorSettings(mode="paper"), parts)

    async def start() -> None:
        assert service.prepare is not None
        await service.prepare(harness.emit)

    with capture_logs() as logs:
        asyncio.run(start())
    (line,) = logs
    assert line["event"].startswith("Capital ₹10,00,000; at most ₹20,000 at risk in a trade")
    assert (line["mode"], line["risk_a_trade"], line["daily_loss"]) == ("paper", 20_000, 50_000)
    assert harness.log == []


def test_the_quotes_of_an_unknown_instrument_fill_nothing() -> None:
    harness = ready()
    harness.hear(signal())
    harness.hear(ticks([Row(1, 100.0, 99.0, 101.0)], at_ms=NOW + 1000))
    assert "OrderFilled" not in harness.log


def in_paper(parts: Parts) -> Service:
    return paper_service(ExecutorSettings(mode="paper"), parts)


async def kinds(harness: ServiceHarness, topic: str) -> list[str]:
    return [event.type for event in await harness.published(topic)]


def test_on_the_bus_a_signal_is_decided_ordered_and_filled_and_a_restart_repeats_nothing() -> None:
    async def story() -> None:
        async with ServiceHarness(in_paper) as first:
            await first.publish(*chain_listed(), ticks(chain_rows(), at_ms=NOW), signal())
            assert await kinds(first, "orders") == ["OrderPlanned", "OrderPlaced"]
            await first.publish(ticks(chain_rows(), at_ms=NOW + 500))
            ordered = await kinds(first, "orders")
            assert ordered == ["OrderPlanned", "OrderPlaced", "OrderFilled"]
        async with ServiceHarness(in_paper, bus=first.bus) as second:
            await second.publish(signal(), ticks(chain_rows(), at_ms=NOW + 1000))
            assert await kinds(second, "orders") == ordered
            assert await kinds(second, "decisions") == ["ExecutionDecided"]
            await second.publish(ticks(chain_rows(), at_ms=NOW + 60_000))
            await second.publish(exit_requested(POSITION))
            await second.publish(ticks(chain_rows(), at_ms=NOW + 61_000))
            assert (await kinds(second, "orders"))[len(ordered) :] == [
                "OrderPlanned",
                "OrderPlaced",
                "OrderFilled",
            ]

    asyncio.run(story())


def test_on_the_bus_an_entry_that_was_working_at_a_restart_is_given_up_with_its_signal() -> None:
    async def story() -> None:
        async with ServiceHarness(in_paper) as first:
            await first.publish(*chain_listed(), ticks(chain_rows(), at_ms=NOW), signal())
        async with ServiceHarness(in_paper, bus=first.bus) as second:
            await second.publish(ticks(chain_rows(), at_ms=NOW + 1000))
            assert (await kinds(second, "orders"))[-1] == "OrderCancelled"
            assert (await kinds(second, "signal_updates"))[-1] == "SignalExpired"
            assert "OrderFilled" not in await kinds(second, "orders")

    asyncio.run(story())
