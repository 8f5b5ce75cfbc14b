"""A failure between two steps of the order path: nothing is lost, and nothing is sent twice."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest

from libs.broker.errors import BrokerUnavailable
from libs.broker.port import MaySend, OrderRequest, always
from libs.events.errors import BusUnavailable, RecordTooLarge
from services.executor import handler
from services.executor.domain.plans import position_id_of
from services.executor.domain.policy import Policy, RiskLimits, Sizing
from tests.unit.services.executor.builders import LOT, NOW, exit_requested, signal, ticks
from tests.unit.services.executor.handling import Harness, ready

POSITION = position_id_of(signal().signal_id)
AWAY = BusUnavailable("no broker answers")
IN_SLICES = Policy(sizing=Sizing(capital=Decimal(100_000_000)), limits=RiskLimits(lots_a_trade=30))


def listen(harness: Harness) -> None:
    harness.hear(signal(2))  # its underlying is taken: it plans nothing


def finish(harness: Harness) -> None:
    harness.hear()


def tick(harness: Harness) -> None:
    harness.hear(ticks([], at_ms=NOW + 1))


def be_updated(harness: Harness) -> None:
    harness.hear_updates()


NEXT = pytest.mark.parametrize("go_on", [listen, finish, tick, be_updated])


def places(harness: Harness) -> int:
    return sum(step.startswith("place") for step in harness.log)


@NEXT
def test_what_was_planned_is_sent_once_after_a_flush_that_failed(
    go_on: Callable[[Harness], None],
) -> None:
    harness = ready()
    harness.bus.flushes_lost = 1
    with pytest.raises(BusUnavailable):
        harness.hear(signal())
    assert harness.log == ["OrderPlanned", "ExecutionDecided"]
    harness.log.clear()
    go_on(harness)
    sent = [step for step in harness.log if step in {"flush", "place BUY", "OrderPlaced"}]
    assert sent[:3] == ["flush", "place BUY", "OrderPlaced"]
    finish(harness)
    assert places(harness) == 1


def test_a_confirmation_that_fails_sends_no_earlier_order_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fresh = iter([False, True, False, False, True])  # over before each order, until renewed
    monkeypatch.setattr(handler.Lease, "holds", lambda _: next(fresh))
    harness = ready(IN_SLICES)
    confirmed = harness.bus.confirm

    async def fail_the_second_time() -> None:
        harness.bus.confirms_lost = int("confirm" in harness.log)
        await confirmed()

    harness.bus.confirm = fail_the_second_time  # type: ignore[method-assign]  # then it is back
    with pytest.raises(BusUnavailable):
        harness.hear(signal())
    assert len(harness.plans) == 2
    assert harness.log[-4:] == ["flush", "confirm", "place BUY", "OrderPlaced"]
    harness.bus.confirm = confirmed  # type: ignore[method-assign]  # as it was
    harness.log.clear()
    finish(harness)
    assert harness.log == ["flush", "confirm", "place BUY", "OrderPlaced"]
    assert len(asyncio.run(harness.broker.orders())) == 2


@NEXT
@pytest.mark.parametrize("reply", ["is lost", "is lost with the order"])
def test_an_order_in_doubt_is_not_sent_again_when_publishing_the_doubt_fails(
    reply: str, go_on: Callable[[Harness], None]
) -> None:
    harness = ready()
    harness.broker.reply = reply
    says = "OrderPlaced" if reply == "is lost" else "OrderUnresolved"
    harness.loses[says] = AWAY
    with pytest.raises(BusUnavailable):
        harness.hear(signal())
    assert harness.log[-2:] == ["place BUY", "look up"]
    go_on(harness)
    finish(harness)
    assert (harness.log.count(says), places(harness)) == (1, 1)


@NEXT
def test_a_reply_that_cannot_be_published_is_published_later_and_its_order_not_sent_again(
    go_on: Callable[[Harness], None],
) -> None:
    harness = ready(IN_SLICES)
    harness.loses["OrderPlaced"] = AWAY
    with pytest.raises(BusUnavailable):
        harness.hear(signal())
    assert harness.log[-2:] == ["flush", "place BUY"]
    go_on(harness)
    finish(harness)
    assert (harness.log.count("OrderPlaced"), places(harness)) == (2, 2)


@pytest.mark.parametrize("lost", ["ExecutionDecided", "OrderPlanned"])
def test_a_decision_that_cannot_be_published_is_published_whole_later(lost: str) -> None:
    harness = ready()
    harness.loses[lost] = AWAY
    with pytest.raises(BusUnavailable):
        harness.hear(signal())
    assert places(harness) == 0
    harness.hear(signal())  # the loop hands the message over again
    assert harness.log[-4:] == ["ExecutionDecided", "flush", "place BUY", "OrderPlaced"]
    assert "OrderPlanned" in harness.log
    assert places(harness) == 1


def test_a_plan_that_can_never_be_published_is_never_sent_and_others_go_on() -> None:
    harness = ready()
    harness.loses["OrderPlanned"] = RecordTooLarge("a record of 9 MB")
    with pytest.raises(RecordTooLarge):
        harness.hear(signal())
    finish(harness)
    tick(harness)
    assert places(harness) == 0


@NEXT
def test_updates_that_were_taken_are_published_later(go_on: Callable[[Harness], None]) -> None:
    harness = ready()
    harness.hear(signal())
    harness.loses["OrderFilled"] = AWAY
    with pytest.raises(BusUnavailable):
        harness.tick(500)
    assert harness.broker.take_updates() == []
    go_on(harness)
    assert harness.log.count("OrderFilled") == 1


@NEXT
def test_a_cancellation_is_requested_after_earlier_events_are_published(
    go_on: Callable[[Harness], None],
) -> None:
    harness = ready()
    harness.hear(signal())
    harness.loses["ChainSnapshot"] = AWAY
    with pytest.raises(BusUnavailable):
        harness.tick(60_001, ask_quantity=0)
    assert "OrderCancelled" not in harness.log
    go_on(harness)
    assert harness.log.count("OrderCancelled") == 1


def test_a_broker_that_does_not_answer_a_placing_leaves_the_order_in_doubt() -> None:
    harness = ready()

    async def cut_off(request: OrderRequest, may_send: MaySend = always) -> str:
        raise BrokerUnavailable(f"no reply to {request.tag}")

    harness.broker.place = cut_off  # type: ignore[method-assign]  # a client that judges nothing
    harness.hear(signal())
    assert harness.log[-2:] == ["look up", "OrderUnresolved"]


def test_an_exit_is_sold_after_a_flush_that_failed() -> None:
    harness = ready()
    harness.hear(signal())
    harness.tick(500)
    harness.bus.flushes_lost = 1
    with pytest.raises(BusUnavailable):
        harness.hear(exit_requested(POSITION))
    harness.hear(ticks([], at_ms=NOW + 60_001))
    assert harness.log.count("place SELL") == 1
    assert harness.plans[-1].quantity % LOT == 0
