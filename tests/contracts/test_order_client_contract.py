"""What every venue promises, whoever fills its orders."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from libs.broker.errors import OrderNotSent, OrderRefused, OrderUnknown
from libs.broker.port import Margin, OrderUpdate
from tests.contracts.venues import VENUES, Fault, Stage, filled, has_ended, order, told

Play = Callable[[Stage], Awaitable[None]]
Player = Callable[[Play], None]


def playing(name: str) -> Player:
    """Return what plays a story at a venue."""

    async def run(story: Play) -> None:
        async with asyncio.timeout(60), VENUES[name].stage() as stage:
            await story(stage)

    return lambda story: asyncio.run(run(story))


@pytest.fixture(params=VENUES)
def play(request: pytest.FixtureRequest) -> Player:
    """Play a story at each venue in turn."""
    return playing(request.param)


def befallen(*faults: Fault) -> pytest.MarkDecorator:
    """Run a test with each of these faults at each venue that it can befall."""
    cases = [
        (name, fault) for name, one in VENUES.items() for fault in faults if fault in one.faults
    ]
    return pytest.mark.parametrize(("name", "fault"), cases)


async def in_book(stage: Stage, tag: str) -> OrderUpdate:
    (found,) = [one for one in await stage.venue.orders() if one.tag == tag]
    return found


def test_an_order_is_in_the_book_under_its_tag_as_soon_as_it_is_placed(play: Player) -> None:
    async def story(stage: Stage) -> None:
        broker_order_id = await stage.venue.place(stage.request("one"))
        found = await in_book(stage, "one")
        assert (found.broker_order_id, found.status, found.fills) == (broker_order_id, "OPEN", ())

    play(story)


def test_an_order_at_a_fit_price_fills_and_says_so(play: Player) -> None:
    async def story(stage: Stage) -> None:
        broker_order_id = await stage.venue.place(order(stage, "one"))
        update = await told(stage, has_ended)
        assert (update.broker_order_id, update.tag) == (broker_order_id, "one")
        assert (update.status, filled(update)) == ("COMPLETE", stage.few)
        assert all(0 < fill.price <= stage.high for fill in update.fills)

    play(story)


def test_a_market_order_fills(play: Player) -> None:
    async def story(stage: Stage) -> None:
        await stage.venue.place(order(stage, "one", order_type="MARKET", price=Decimal(0)))
        assert (await told(stage, has_ended)).status == "COMPLETE"

    play(story)


def test_a_large_order_fills_in_parts_and_no_fill_is_told_with_another_number(
    play: Player,
) -> None:
    async def story(stage: Stage) -> None:
        await stage.venue.place(order(stage, "one", quantity=stage.many))
        first = await told(stage, lambda update: 0 < filled(update) < stage.many)
        assert first.status == "OPEN"
        last = await told(stage, has_ended)
        assert (last.status, filled(last)) == ("COMPLETE", stage.many)
        assert last.fills[: len(first.fills)] == first.fills
        assert len({fill.fill_id for fill in last.fills}) == len(last.fills)

    play(story)


def test_an_order_that_rests_fills_when_it_is_modified_to_a_fit_price(play: Player) -> None:
    async def story(stage: Stage) -> None:
        broker_order_id = await stage.venue.place(stage.request("one"))
        await stage.go_on()
        await stage.venue.modify(broker_order_id, 2 * stage.few, stage.high)
        update = await told(stage, has_ended)
        assert (update.status, filled(update)) == ("COMPLETE", 2 * stage.few)

    play(story)


def test_what_has_ended_cannot_be_modified(play: Player) -> None:
    async def story(stage: Stage) -> None:
        broker_order_id = await stage.venue.place(order(stage, "one"))
        await told(stage, has_ended)
        with pytest.raises(OrderRefused):
            await stage.venue.modify(broker_order_id, 2 * stage.few, stage.high)
        assert filled(await in_book(stage, "one")) == stage.few

    play(story)


def test_a_cancelled_order_says_so_and_fills_no_more(play: Player) -> None:
    async def story(stage: Stage) -> None:
        broker_order_id = await stage.venue.place(order(stage, "one", quantity=stage.many))
        part = await told(stage, lambda update: 0 < filled(update) < stage.many)
        await stage.venue.cancel(broker_order_id)
        update = await told(stage, has_ended)
        assert update.status == "CANCELLED"
        assert filled(part) <= filled(update) < stage.many
        await stage.go_on()
        assert filled(await in_book(stage, "one")) == filled(update)

    play(story)


def test_cancelling_what_has_ended_changes_nothing(play: Player) -> None:
    async def story(stage: Stage) -> None:
        broker_order_id = await stage.venue.place(order(stage, "one"))
        await told(stage, has_ended)
        await stage.venue.cancel(broker_order_id)
        await stage.go_on()
        assert (await in_book(stage, "one")).status == "COMPLETE"

    play(story)


def test_an_order_that_cannot_be_is_refused_and_is_not_in_the_book(play: Player) -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(OrderRefused):
            await stage.venue.place(stage.request("one", **stage.unfit))
        assert list(await stage.venue.orders()) == []

    play(story)


@befallen("rejection")
def test_an_order_that_was_taken_and_is_rejected_says_why(name: str, fault: Fault) -> None:
    async def story(stage: Stage) -> None:
        await stage.venue.place(order(stage, "one", **await stage.befall(fault)))
        update = await told(stage, has_ended)
        assert (update.status, filled(update)) == ("REJECTED", 0)
        assert "price" in update.reason.lower()

    playing(name)(story)


@befallen("lost reply")
def test_an_order_whose_reply_was_lost_is_in_doubt_and_in_the_book(name: str, fault: Fault) -> None:
    async def story(stage: Stage) -> None:
        await stage.befall(fault)
        with pytest.raises(OrderUnknown):
            await stage.venue.place(order(stage, "one"))
        assert (await in_book(stage, "one")).tag == "one"
        assert (await told(stage, has_ended)).status == "COMPLETE"

    playing(name)(story)


@befallen("lost update", "repeated update", "late update")
def test_each_fill_is_told_once_whatever_befalls_the_updates(name: str, fault: Fault) -> None:
    async def story(stage: Stage) -> None:
        await stage.befall(fault)
        await stage.venue.place(order(stage, "one"))
        update = await told(stage, has_ended)
        assert (update.status, filled(update)) == ("COMPLETE", stage.few)
        for _ in range(3):
            await stage.go_on()
            await stage.venue.orders()
        assert list(stage.venue.take_updates()) == []

    playing(name)(story)


@pytest.mark.parametrize("name", VENUES)
def test_a_venue_says_itself_whether_a_reply_can_be_lost_and_whether_it_costs_money(
    name: str,
) -> None:
    async def story(stage: Stage) -> None:
        assert stage.venue.may_lose_replies == ("lost reply" in VENUES[name].faults)
        assert stage.venue.is_real == (name == "kite")

    playing(name)(story)


def test_book_trades_and_positions_agree(play: Player) -> None:
    async def story(stage: Stage) -> None:
        whole = await stage.venue.place(order(stage, "whole"))
        await told(stage, has_ended)
        part = await stage.venue.place(order(stage, "part", quantity=stage.many))
        await told(stage, lambda update: 0 < filled(update) < stage.many)
        await stage.venue.cancel(part)
        await told(stage, has_ended)
        sale = {"transaction_type": "SELL", "order_type": "MARKET", "price": Decimal(0)}
        sold = await stage.venue.place(order(stage, "sold", **sale))
        await told(stage, has_ended)
        book = {one.broker_order_id: one for one in await stage.venue.orders()}
        trades = await stage.venue.trades()
        assert set(book) == {whole, part, sold}
        for broker_order_id, known in book.items():
            own = [one.fill for one in trades if one.broker_order_id == broker_order_id]
            assert sorted(own, key=str) == sorted(known.fills, key=str)
        (position,) = await stage.venue.positions()
        bought = filled(book[whole]) + filled(book[part])
        assert position.quantity == bought - filled(book[sold])
        assert {one.transaction_type for one in trades if one.broker_order_id == sold} == {"SELL"}

    play(story)


def test_an_order_that_may_not_be_sent_any_more_is_not_sent(play: Player) -> None:
    async def story(stage: Stage) -> None:
        for is_urgent in (True, False):
            with pytest.raises(OrderNotSent) as caught:
                await stage.venue.place(stage.request("one", is_urgent=is_urgent), lambda: False)
            assert not caught.value.needs_login
        assert list(await stage.venue.orders()) == []

    play(story)


def test_an_order_is_placed_the_same_way_whether_it_is_urgent_or_not(play: Player) -> None:
    async def story(stage: Stage) -> None:
        await stage.venue.place(order(stage, "one", is_urgent=True), lambda: True)
        assert (await told(stage, has_ended)).status == "COMPLETE"

    play(story)


def test_an_update_names_contract_side_product_and_quantity(play: Player) -> None:
    async def story(stage: Stage) -> None:
        asked = order(stage, "one")
        await stage.venue.place(asked)
        for update in (await told(stage, has_ended), await in_book(stage, "one")):
            assert (update.exchange, update.tradingsymbol) == (asked.exchange, asked.tradingsymbol)
            assert (update.transaction_type, update.product) == ("BUY", asked.product)
            assert (update.quantity, update.working_quantity) == (asked.quantity, 0)
            assert not update.awaits_trigger

    play(story)


def test_of_a_contract_the_venue_tells_what_is_held_and_what_may_still_fill(play: Player) -> None:
    async def story(stage: Stage) -> None:
        asked = order(stage, "whole")
        await stage.venue.place(asked)
        await told(stage, has_ended)
        resting = await stage.venue.place(stage.request("rests"))
        state = await stage.venue.contract(asked.exchange, asked.tradingsymbol)
        assert state.net(asked.product) == stage.few
        (working,) = state.working
        assert (working.broker_order_id, working.tag) == (resting, "rests")
        assert (working.working_quantity, working.transaction_type) == (stage.few, "BUY")
        nothing = await stage.venue.contract(asked.exchange, "NOBODY")
        assert (nothing.positions, nothing.working) == ((), ())

    play(story)


def test_modifications_are_counted(play: Player) -> None:
    async def story(stage: Stage) -> None:
        broker_order_id = await stage.venue.place(stage.request("one"))
        await stage.go_on()
        before = stage.venue.modifications_left(broker_order_id)
        await stage.venue.modify(broker_order_id, 2 * stage.few, stage.low)
        after = stage.venue.modifications_left(broker_order_id)
        assert after == before - 1
        assert after > 0

    play(story)


def test_margins_are_money_or_there_are_none(play: Player) -> None:
    async def story(stage: Stage) -> None:
        needed = await stage.venue.required_margin(order(stage, "one"))
        assert needed is None or needed > 0
        funds = await stage.venue.margins()
        assert (needed is None) == (not funds)
        assert all(isinstance(one, Margin) for one in funds.values())
        assert not funds or max(one.available for one in funds.values()) > 0
        assert list(stage.venue.unreadable()) == []

    play(story)


@pytest.mark.parametrize("name", [name for name, one in VENUES.items() if one.has_stops])
def test_a_stop_limit_order_awaits_its_trigger_and_can_be_moved_and_cancelled(name: str) -> None:
    async def story(stage: Stage) -> None:
        stop = stage.request("stop", **stage.stop)
        broker_order_id = await stage.venue.place(stop)
        assert (await told(stage, lambda update: update.awaits_trigger is True)).status == "OPEN"
        (working,) = (await stage.venue.contract(stop.exchange, stop.tradingsymbol)).working
        assert (working.awaits_trigger, working.working_quantity) == (True, stage.few)
        moved = {"price": stop.price + 5, "trigger_price": stop.trigger_price + 5}
        await stage.venue.modify(broker_order_id, stage.few, **moved)
        await stage.go_on()
        assert (await in_book(stage, "stop")).awaits_trigger
        await stage.venue.cancel(broker_order_id)
        ended = await told(stage, has_ended)
        assert (ended.status, filled(ended), ended.awaits_trigger) == ("CANCELLED", 0, False)

    playing(name)(story)


@pytest.mark.parametrize("name", [name for name, one in VENUES.items() if one.has_stops])
def test_a_stop_that_is_changed_to_fewer_units_is_told_with_them(name: str) -> None:
    async def story(stage: Stage) -> None:
        stop = stage.request("stop", **stage.stop | {"quantity": 2 * stage.few})
        broker_order_id = await stage.venue.place(stop)
        assert (await told(stage, lambda one: bool(one.awaits_trigger))).quantity == 2 * stage.few
        await stage.venue.modify(broker_order_id, stage.few, stop.price, stop.trigger_price)
        changed = await told(stage, lambda one: one.quantity == stage.few)
        assert changed.status == "OPEN"
        assert changed.awaits_trigger is not False

    playing(name)(story)


def test_an_update_is_taken_once_and_waited_for(play: Player) -> None:
    async def story(stage: Stage) -> None:
        await stage.venue.place(order(stage, "one"))
        async with asyncio.timeout(10):
            while True:
                await stage.go_on()
                try:
                    await asyncio.wait_for(stage.venue.updated(), 0.2)
                    break
                except TimeoutError:
                    continue
        assert len(stage.venue.take_updates()) >= 1
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stage.venue.updated(), 0.01)

    play(story)


def test_a_venue_describes_itself_and_counts_what_it_may_ask(play: Player) -> None:
    async def story(stage: Stage) -> None:
        before = stage.venue.budget()
        await stage.venue.place(stage.request("one"))
        after = stage.venue.budget()
        assert all(after[span_ms] < left for span_ms, left in before.items())
        assert bool(before) == stage.venue.may_lose_replies
        assert all(isinstance(count, int) for count in stage.venue.describe().values())

    play(story)
