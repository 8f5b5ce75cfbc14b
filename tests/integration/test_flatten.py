"""`alphastocks flatten` against the simulated Kite over HTTP: nothing else runs."""

from pathlib import Path

import pytest

from libs.broker.errors import SessionExpired
from services.local.flatten.account import ContractKey
from tests.integration.flatten_desks import CALL, LOT, OTHER, STOP_TAG, TAG, Emergency, in_emergency

THIN = "NIFTY26JUN25850CE"
KEY = ContractKey("NFO", CALL, "NRML")
SENDING = {"method": "POST", "path": "/orders"}


def test_stops_are_cancelled_and_what_our_tags_hold_is_sold(tmp_path: Path) -> None:
    async def play(desk: Emergency) -> None:
        await desk.hold(2)
        await desk.hold(1, OTHER)
        await desk.rest_stop(2)
        assert (await desk.flatten()).is_flat
        assert (await desk.held(), await desk.held(OTHER)) == (0, 0)
        assert not await desk.working()

    in_emergency(tmp_path, play)


def test_with_the_books_of_earlier_days_it_is_certain_that_all_is_flat(tmp_path: Path) -> None:
    async def play(desk: Emergency) -> None:
        await desk.hold(2)
        await desk.hold(1, OTHER, tag="")
        left = await desk.flatten(books=())
        assert left.is_flat
        assert left.by_hand == {KEY._replace(tradingsymbol=OTHER): LOT}

    in_emergency(tmp_path, play)


def test_what_is_bought_by_hand_is_named_and_sold_only_if_asked_for(tmp_path: Path) -> None:
    async def play(desk: Emergency) -> None:
        await desk.hold(2, tag="")
        left = await desk.flatten()
        assert left.unknown == {KEY: 2 * LOT}
        assert await desk.held() == 2 * LOT
        assert (await desk.flatten(contracts=frozenset({CALL}))).is_flat
        assert await desk.held() == 0

    in_emergency(tmp_path, play)


def test_the_whole_account_is_closed_with_its_orders_by_hand(tmp_path: Path) -> None:
    async def play(desk: Emergency) -> None:
        await desk.hold(2, tag="")
        await desk.hold(1, OTHER)
        await desk.rest_stop(2, tag="")
        assert (await desk.flatten(is_all=True)).is_flat
        assert (await desk.held(), await desk.held(OTHER)) == (0, 0)
        assert not await desk.working()

    in_emergency(tmp_path, play)


def test_a_sale_by_hand_that_works_is_not_sold_twice(tmp_path: Path) -> None:
    async def play(desk: Emergency) -> None:
        await desk.hold(2)
        await desk.send("SELL", 1, order_type="LIMIT", price="250", market_protection="")
        await desk.client.seconds(2)
        left = await desk.flatten(books=(), seconds=10)
        (target,) = left.targets
        assert (target.units, target.blocked, await desk.held()) == (0, LOT, LOT)

    in_emergency(tmp_path, play)


def test_a_position_above_the_freeze_quantity_is_sold_in_slices(tmp_path: Path) -> None:
    async def play(desk: Emergency) -> None:
        for _ in range(2):
            await desk.hold(20)
        await desk.client.seconds(10)
        held = await desk.held()
        assert held == 40 * LOT
        assert (await desk.flatten(books=())).is_flat
        sales = [one for one in await desk.rows() if one["transaction_type"] == "SELL"]
        assert len(sales) >= 2
        assert await desk.sold() == held

    in_emergency(tmp_path, play, funds=10_000_000)


def test_partial_fills_are_followed_to_the_last_unit(tmp_path: Path) -> None:
    async def play(desk: Emergency) -> None:
        await desk.hold(20, THIN)
        await desk.client.seconds(20)
        held = await desk.held(THIN)
        assert held == 20 * LOT
        assert (await desk.flatten(books=(), seconds=300)).is_flat
        assert (await desk.held(THIN), await desk.sold(THIN)) == (0, held)
        trades = (await desk.client.http.get("/trades")).json()["data"]
        assert sum(one["transaction_type"] == "SELL" for one in trades) > 1

    in_emergency(tmp_path, play, funds=10_000_000)


def test_twice_in_a_row_sells_once(tmp_path: Path) -> None:
    async def play(desk: Emergency) -> None:
        await desk.hold(2)
        assert (await desk.flatten(books=())).is_flat
        assert (await desk.flatten(books=())).is_flat
        assert (await desk.held(), await desk.sold()) == (0, 2 * LOT)

    in_emergency(tmp_path, play)


def test_a_run_that_died_is_gone_on_with(tmp_path: Path) -> None:
    async def play(desk: Emergency) -> None:
        await desk.hold(2)
        async with desk.run(books=(), seconds=0.5) as rounds:
            await desk.ended(rounds)
        assert len(await desk.working()) == 1, "its order rests"
        assert (await desk.flatten(books=())).is_flat
        assert (await desk.held(), await desk.sold()) == (0, 2 * LOT)

    in_emergency(tmp_path, play)


@pytest.mark.parametrize("runs", [2, 3])
def test_several_people_at_once_sell_once(tmp_path: Path, runs: int) -> None:
    async def play(desk: Emergency) -> None:
        await desk.hold(2)
        await desk.hold(1, OTHER)
        await desk.rest_stop(2)
        left = await desk.flatten_at_once(runs, books=())
        assert [one is not None and one.is_flat for one in left] == [True] * runs
        assert (await desk.held(), await desk.sold()) == (0, 2 * LOT)
        assert (await desk.held(OTHER), await desk.sold(OTHER)) == (0, LOT)
        assert not await desk.working()

    in_emergency(tmp_path, play)


def test_what_was_sold_too_much_is_bought_back(tmp_path: Path) -> None:
    async def play(desk: Emergency) -> None:
        await desk.hold(2)
        await desk.send("SELL", 3, tag=STOP_TAG)
        await desk.client.seconds(3)
        assert await desk.held() == -LOT
        assert (await desk.flatten(books=())).is_flat
        assert await desk.held() == 0

    in_emergency(tmp_path, play)


def test_an_order_whose_reply_is_lost_is_found_in_the_book(tmp_path: Path) -> None:
    async def play(desk: Emergency) -> None:
        await desk.hold(2)
        await desk.client.fault(kind="lose_reply", times=1, **SENDING)
        assert (await desk.flatten(books=())).is_flat
        assert (await desk.held(), await desk.sold()) == (0, 2 * LOT)

    in_emergency(tmp_path, play)


def test_an_order_whose_request_is_lost_is_sent_again_later(tmp_path: Path) -> None:
    async def play(desk: Emergency) -> None:
        await desk.hold(2)
        await desk.client.fault(kind="status", status=502, when="before", times=1, **SENDING)
        assert (await desk.flatten(books=())).is_flat
        assert (await desk.held(), await desk.sold()) == (0, 2 * LOT)
        assert any("has not arrived" in line for line in desk.lines)

    in_emergency(tmp_path, play)


def test_an_order_of_the_executor_that_arrives_late_is_sold_too(tmp_path: Path) -> None:
    async def play(desk: Emergency) -> None:
        async with desk.run(books=()) as rounds:
            await rounds._round()
            await desk.hold(1, tag=TAG)
            left = await desk.ended(rounds)
        assert left is not None
        assert left.is_flat
        assert await desk.held() == 0

    in_emergency(tmp_path, play)


def test_a_refused_sale_is_sent_again(tmp_path: Path) -> None:
    async def play(desk: Emergency) -> None:
        await desk.hold(2)
        await desk.client.fault(kind="reject_order", times=2, transaction_type="SELL")
        assert (await desk.flatten(books=())).is_flat
        assert (await desk.held(), await desk.sold()) == (0, 2 * LOT)

    in_emergency(tmp_path, play)


def test_without_bids_it_says_what_is_left(tmp_path: Path) -> None:
    async def play(desk: Emergency) -> None:
        await desk.hold(2)
        await desk.client.http.post("/control/market", json={"kind": "halt", "seconds": 600})
        fault = {"kind": "spoil_rows", "path": "/quote", "field": "depth", "times": 1000}
        await desk.client.fault(**fault)
        left = await desk.flatten(books=(), seconds=20)
        assert not left.is_flat
        assert [one.key for one in left.targets] == [KEY]
        assert await desk.held() == 2 * LOT

    in_emergency(tmp_path, play)


def test_a_broker_that_does_not_answer_for_a_while_is_asked_again(tmp_path: Path) -> None:
    async def play(desk: Emergency) -> None:
        await desk.hold(2)
        await desk.client.fault(kind="status", status=502, method="GET", path="/orders", times=3)
        assert (await desk.flatten(books=())).is_flat
        assert any("trying again" in line for line in desk.lines)

    in_emergency(tmp_path, play)


def test_a_session_that_has_ended_is_said_at_once(tmp_path: Path) -> None:
    async def play(desk: Emergency) -> None:
        await desk.hold(2)
        await desk.client.log_in()
        with pytest.raises(SessionExpired, match="alphastocks login"):
            await desk.flatten()

    in_emergency(tmp_path, play)
