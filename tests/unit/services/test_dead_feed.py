"""The feed dies while a position is open: position asks for the square-off, executor sells."""

from libs.events.orders import OrderEvent, OrderFilled, OrderPlanned
from libs.events.positions import ExitRequested
from libs.runtime.clock import FeedClock
from libs.runtime.service import Parts, Service
from libs.runtime.testing import ServiceHarness
from services.executor.settings import ExecutorSettings
from services.position.service import make_service as make_position
from services.position.settings import PositionSettings
from tests.skipping import run, skip
from tests.unit.services.executor.builders import NOW, chain_listed, chain_rows, signal, ticks
from tests.unit.services.executor.handling import paper_service
from tests.unit.services.position.builders import at

DIES = at(15, 14)


def executor(parts: Parts) -> Service:
    return paper_service(ExecutorSettings(mode="paper"), parts)


def position(parts: Parts) -> Service:
    return make_position(PositionSettings(), parts)


def test_a_feed_that_dies_at_15_14_does_not_keep_a_position_from_being_sold_at_15_15() -> None:
    machine = [0]
    clock = FeedClock(1.0, lambda: machine[0])

    async def passes(traders: ServiceHarness, seconds: int) -> None:
        machine[0] += seconds * 1000
        await skip(0.1, times=4)
        await traders.bus.idle()

    async def exits(traders: ServiceHarness) -> list[OrderPlanned]:
        orders = await traders.published("orders")
        return [one for one in orders if isinstance(one, OrderPlanned) and one.leg == "exit"]

    async def story() -> None:
        async with (
            ServiceHarness(executor, clock=clock) as traders,
            ServiceHarness(position, clock=clock, bus=traders.bus),
        ):
            await traders.publish(*chain_listed(), ticks(chain_rows(), at_ms=NOW), signal())
            for at_ms in (NOW + 500, NOW + 1000, DIES):
                await traders.publish(ticks(chain_rows(), at_ms=at_ms))
            filled = [e for e in await traders.published("orders") if isinstance(e, OrderFilled)]
            assert filled
            await passes(traders, 59)
            assert await exits(traders) == []
            await passes(traders, 2)
            asked = [
                e for e in await traders.published("exit_requests") if isinstance(e, ExitRequested)
            ]
            assert [one.reason for one in asked] == ["square_off"]
            (sale,) = await exits(traders)
            assert sale.position_id == filled[0].position_id
            assert sale.quantity == sum(one.fill_quantity for one in filled)
            assert at(15, 15) <= sale.occurred_ms <= at(15, 15, 2)
            placed = [
                e
                for e in await traders.published("orders")
                if isinstance(e, OrderEvent) and e.order_id == sale.order_id
            ]
            assert placed[-1].type in ("OrderPlaced", "OrderFilled")

    run(story())
