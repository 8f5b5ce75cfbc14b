"""What the exchange, the broker and the user do to an account on demand."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.simulator.domain.errors import InputError, OrderError, TokenError
from services.simulator.in_process import Connection
from tests.unit.services.simulator.account.market_stand_in import CALL, DAY, at
from tests.unit.services.simulator.test_in_process import Trader, trading

STOP: dict[str, Any] = {
    "transaction_type": "SELL",
    "order_type": "SL",
    "trigger_price": "90",
    "price": "85",
}
SOLD = {"kind": "trade_by_hand", "tradingsymbol": CALL, "transaction_type": "SELL"}


def followed(trader: Trader) -> Connection:
    return trader.exchange.connect(trader.token)


def told(socket: Connection) -> list[str]:
    return [update["status"] for update in socket.take()]


async def net(trader: Trader) -> int:
    rows = (await trader.call("GET", "/portfolio/positions")).data["net"]
    return sum(row["quantity"] for row in rows)


@pytest.mark.parametrize(
    ("when", "states"), [("before", ["REJECTED"]), ("after", ["OPEN", "REJECTED"])]
)
def test_an_order_that_was_registered_is_rejected_later(when: str, states: list[str]) -> None:
    async def play(trader: Trader) -> None:
        socket = followed(trader)
        fault = {"kind": "reject_order", "when": when, "message": "16388 : refused"}
        trader.exchange.add_fault(fault)
        assert (await trader.buy()).status == 200
        trader.go()
        assert told(socket) == states
        (row,) = await trader.orders()
        assert (row["status"], row["status_message"]) == ("REJECTED", "16388 : refused")
        assert (row["filled_quantity"], row["pending_quantity"]) == (0, 0)

    trading(play)


def test_a_stop_that_rests_is_cancelled_by_the_exchange_unasked() -> None:
    async def play(trader: Trader) -> None:
        socket = followed(trader)
        await trader.buy(price="99")
        await trader.buy(**STOP)
        trader.go(3)
        assert told(socket) == ["OPEN", "TRIGGER PENDING"]
        trader.exchange.add_fault({"kind": "cancel_order", "has_trigger": True})
        trader.go(2)
        assert told(socket) == ["CANCELLED"]
        assert [row["status"] for row in await trader.orders()] == ["OPEN", "CANCELLED"]

    trading(play)


@pytest.mark.parametrize(
    ("quantity", "state", "filled"), [(None, "COMPLETE", 130), (65, "CANCELLED", 65)]
)
def test_an_order_fills_after_its_cancellation_was_sent(
    quantity: int | None, state: str, filled: int
) -> None:
    async def play(trader: Trader) -> None:
        order_id = (await trader.buy(price="99", quantity=130)).data["order_id"]
        trader.go()
        trader.exchange.add_fault({"kind": "late_fill", "quantity": quantity})
        cancelled = await trader.call("DELETE", f"/orders/regular/{order_id}")
        assert cancelled.status == 200
        trader.go()
        (row,) = await trader.orders()
        assert (row["status"], row["filled_quantity"], row["average_price"]) == (state, filled, 99)
        assert await net(trader) == filled

    trading(play)


def test_the_faults_of_orders_choose_them_by_what_they_are_told_and_skip_each_once() -> None:
    async def play(trader: Trader) -> None:
        chosen = {"transaction_type": "BUY", "tradingsymbol": CALL, "skip": 1, "times": 2}
        trader.exchange.add_fault({"kind": "reject_order", "when": "after", **chosen})
        for _ in range(4):
            await trader.buy(price="99", tag="mine")
        await trader.buy(**STOP)
        trader.go(3)
        states = [row["status"] for row in await trader.orders()]
        assert states == ["OPEN", "REJECTED", "REJECTED", "OPEN", "TRIGGER PENDING"]
        (row,) = trader.exchange.faults.rows()
        assert (row["skipped"], row["hits"]) == (1, 2)
        trader.exchange.add_fault({"kind": "cancel_order", "tag": "other"})
        trader.go()
        assert [row["status"] for row in await trader.orders()] == states

    trading(play)


def test_of_the_children_of_an_autosliced_order_one_is_refused() -> None:
    async def play(trader: Trader) -> None:
        trader.exchange.add_fault({"kind": "refuse_slice", "slice": 2, "message": "no more"})
        placed = (await trader.buy(quantity=65 * 60, price="9", autoslice="true")).data
        first, second, third = placed["children"]
        assert second["error"]["message"] == "no more"
        assert second["error"]["code"] == 400
        placed_ids = [row["order_id"] for row in await trader.orders()]
        assert placed_ids == [first["order_id"], third["order_id"]]

    trading(play)


def test_the_updates_of_an_order_come_before_the_reply_of_its_placing() -> None:
    async def play(trader: Trader) -> None:
        socket = followed(trader)
        trader.exchange.add_fault({"kind": "early_update"})
        trader.exchange.add_fault({"kind": "lose_reply", "method": "POST", "skip": 1})
        reply = await trader.buy()
        assert told(socket) == ["OPEN", "COMPLETE"]
        assert (await trader.orders())[0]["order_id"] == reply.data["order_id"]
        assert await net(trader) == 65

    trading(play)


def test_the_user_sells_by_hand_what_is_held_without_a_tag() -> None:
    async def play(trader: Trader) -> None:
        socket = followed(trader)
        await trader.buy(tag="ours")
        trader.go()
        trader.exchange.act({**SOLD, "quantity": 65})
        trader.go()
        row = (await trader.orders())[-1]
        assert (row["tag"], row["transaction_type"], row["status"]) == (None, "SELL", "COMPLETE")
        assert row["placed_by"] == "SIM001"
        assert await net(trader) == 0
        assert told(socket)[-2:] == ["OPEN", "COMPLETE"]

    trading(play)


def test_an_order_by_hand_may_rest_or_wait_for_its_trigger_and_is_cancelled_by_hand() -> None:
    async def play(trader: Trader) -> None:
        ours = (await trader.buy(price="99", tag="ours")).data["order_id"]
        trader.exchange.act({**SOLD, "quantity": 65, "price": "110"})
        trader.exchange.act({**SOLD, "quantity": 65, "price": "85", "trigger_price": "90"})
        trader.go()
        states = [row["status"] for row in await trader.orders()]
        assert states == ["OPEN", "OPEN", "TRIGGER PENDING"]
        trader.exchange.add_fault({"kind": "cancel_by_hand", "order_id": ours})
        trader.go(2)
        assert [row["status"] for row in await trader.orders()] == ["CANCELLED", *states[1:]]

    trading(play)


def test_an_order_by_hand_that_is_refused_says_so_at_once_or_in_its_row() -> None:
    async def play(trader: Trader) -> None:
        with pytest.raises(InputError, match="no NFO:NOTHING"):
            trader.exchange.act({**SOLD, "tradingsymbol": "NOTHING", "quantity": 65})
        with pytest.raises(InputError, match="needs a price"):
            trader.exchange.act({**SOLD, "quantity": 65, "trigger_price": "90"})
        hedge = {**SOLD, "tradingsymbol": "NIFTY26JUN25100CE", "quantity": 65}
        with pytest.raises(OrderError, match="no last price"):
            trader.exchange.act(hedge)
        trader.exchange.add_fault(hedge)
        trader.go()
        (row,) = trader.exchange.faults.rows()
        assert (row["hits"], "no last price" in row["refused"]) == (1, True)
        with pytest.raises(InputError, match="book it"):
            trader.exchange.act({"kind": "late_fill"})

    trading(play)


def test_a_shortfall_of_funds_refuses_what_would_have_been_taken() -> None:
    async def play(trader: Trader) -> None:
        trader.exchange.act({"kind": "set_funds", "rupees": 100})
        await trader.buy()
        trader.go()
        (row,) = await trader.orders()
        assert row["status"] == "REJECTED"
        assert "Insufficient funds" in row["status_message"]
        funds = (await trader.call("GET", "/user/margins/equity")).data
        assert funds["available"]["cash"] == 100

    trading(play)


@pytest.mark.parametrize("exchange", [None, "NFO"])
def test_the_broker_closes_intraday_positions_when_it_wants_to(exchange: str | None) -> None:
    async def play(trader: Trader) -> None:
        await trader.buy(product="MIS")
        await trader.buy(product="NRML")
        trader.go()
        trader.exchange.act({"kind": "square_off", "exchange": exchange})
        trader.go()
        assert await net(trader) == 65
        assert (await trader.orders())[-1]["placed_by"] == "ADMINSQF"

    trading(play)


def test_trade_ids_begin_anew_each_day_where_they_are_the_exchanges() -> None:
    async def ids(trader: Trader) -> list[str]:
        await trader.buy()
        await trader.buy()
        trader.go()
        return [row["trade_id"] for row in (await trader.call("GET", "/trades")).data]

    async def play(trader: Trader) -> None:
        trader.exchange.act({"kind": "trade_ids", "first": 7})
        assert await ids(trader) == ["7", "8"]
        later = Trader(day=date(2026, 6, 11), after=trader.exchange.account.dump())
        assert await ids(later) == ["1", "2"]
        later.exchange.act({"kind": "trade_ids", "numbering": "unique"})
        assert (await ids(later))[-1].startswith("260611")

    trading(play)


def test_a_session_ends_and_leaves_its_websocket_open() -> None:
    async def play(trader: Trader) -> None:
        socket = followed(trader)
        await trader.buy()
        trader.exchange.act({"kind": "end_session"})
        assert (await trader.call("GET", "/orders")).status == 403
        with pytest.raises(TokenError):
            trader.exchange.connect(trader.token)
        trader.go()
        assert told(socket) == ["OPEN", "COMPLETE"]
        trader.token = trader.exchange.log_in()
        assert await net(trader) == 65

    trading(play)


def test_what_happens_to_the_account_can_be_set_for_a_time_of_the_day() -> None:
    async def play(trader: Trader) -> None:
        booked = trader.exchange.add_fault(
            {"kind": "set_funds", "rupees": "12.50", "at": "10:00:02"}
        )
        trader.go()
        assert booked.hits == 0
        trader.go()
        assert booked.hits == 1
        assert trader.exchange.now_ms == at("10:00:02", DAY)
        funds = (await trader.call("GET", "/user/margins/equity")).data
        assert funds["available"]["cash"] == float(Decimal("12.5"))

    trading(play)


@pytest.mark.parametrize("value", [None, "0000-01-01 09:35:36", 0])
def test_a_row_of_a_book_makes_no_sense_and_the_others_do(value: Any) -> None:
    async def play(trader: Trader) -> None:
        first = (await trader.buy()).data["order_id"]
        await trader.buy()
        trader.go()
        spoilt = {"field": "order_timestamp", "value": value, "order_id": first}
        trader.exchange.add_fault({"kind": "spoil_rows", "path": "/trades", **spoilt})
        one, other = (await trader.call("GET", "/trades")).data
        assert (one["order_timestamp"], other["order_timestamp"]) == (value, "10:00:01")
        assert [row["order_timestamp"] for row in (await trader.call("GET", "/trades")).data] == [
            "10:00:01",
            "10:00:01",
        ]

    trading(play)


@pytest.mark.parametrize(("value", "text"), [(None, ""), ("1.0", "1.0")])
def test_a_row_of_the_list_of_instruments_makes_no_sense_and_the_others_do(
    value: str | None, text: str
) -> None:
    async def play(trader: Trader) -> None:
        def shown() -> list[str]:
            reply: str = trader.exchange.shown("GET", "/instruments/NSE", table)
            return reply.splitlines()

        table = 'tradingsymbol,name,lot_size\nINFY,"INFOSYS, LTD",1\nSBIN,STATE BANK,1\n'
        spoilt = {"field": "lot_size", "value": value, "tradingsymbol": "INFY"}
        trader.exchange.add_fault({"kind": "spoil_rows", "path": "/instruments", **spoilt})
        header, infy, sbin = table.splitlines()
        assert shown() == [header, f"{infy.removesuffix('1')}{text}", sbin]
        trader.exchange.add_fault({"kind": "hide_rows", "path": "/instruments"})
        assert shown() == [header]
        assert shown() == [header, infy, sbin]

    trading(play)


def test_a_book_lags_behind_what_was_done() -> None:
    async def play(trader: Trader) -> None:
        await trader.buy()
        trader.go()
        trader.exchange.add_fault({"kind": "hide_rows", "path": "/trades", "times": 2})
        trader.exchange.add_fault({"kind": "hide_rows", "path": "/portfolio/positions"})
        trades = [len((await trader.call("GET", "/trades")).data) for _ in range(3)]
        assert trades == [0, 0, 1]
        assert [await net(trader) for _ in range(2)] == [0, 65]
        assert len(await trader.orders()) == 1

    trading(play)
