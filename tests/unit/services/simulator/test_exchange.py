from datetime import time
from typing import Any

import pytest

from libs.market.calendar import Calendar
from libs.market.rulebook import Rulebook
from services.simulator.domain.account import Account
from services.simulator.domain.account.login import App, Logins
from services.simulator.domain.board import Board
from services.simulator.domain.errors import InputError
from services.simulator.domain.exchange import Exchange
from services.simulator.domain.india_time import at_time
from services.simulator.domain.rest.calls import ROUTES, Request
from tests.unit.services.simulator.plays import DAY, STOCK_TOKEN, ScriptedMarket, second_frames

OPEN_MS = at_time(DAY, time(9, 15))


@pytest.fixture
def exchange(calendar: Calendar, rulebook: Rulebook) -> Exchange:
    frames = second_frames(OPEN_MS, [1000.0 + second for second in range(20)])
    board = Board(ScriptedMarket(frames), calendar)
    account = Account("SIM001", board, rulebook)
    return Exchange(board, account, Logins(App("key", "SIM001", "secret"), lambda: "t", 1000))


def buy(exchange: Exchange) -> None:
    fields = {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": "BUY",
        "quantity": "1",
        "product": "MIS",
        "order_type": "LIMIT",
        "price": "1010",
        "validity": "DAY",
    }
    exchange.account.place("regular", fields, exchange.now_ms)


def statuses(exchange: Exchange, seconds: int) -> list[list[str]]:
    return [[one.update["status"] for one in exchange.trade()] for _ in range(seconds)]


def test_a_second_has_two_halves(exchange: Exchange) -> None:
    assert exchange.trade() == []
    assert exchange.now_ms == OPEN_MS
    assert len(exchange.ticks()) >= 2
    assert len(exchange.ticks()) == 0


def test_after_the_day_only_the_clock_goes_on(exchange: Exchange) -> None:
    statuses(exchange, 20)
    assert exchange.is_over
    last_ms = exchange.now_ms
    exchange.trade()
    assert exchange.now_ms == last_ms + 1000
    assert len(exchange.ticks()) == 0


def test_an_order_is_matched_in_the_second_after_it_reaches_the_book(exchange: Exchange) -> None:
    exchange.trade()
    buy(exchange)
    assert statuses(exchange, 2) == [["OPEN", "COMPLETE"], []]


def test_updates_are_lost_repeated_and_held_back_by_faults(exchange: Exchange) -> None:
    exchange.trade()
    exchange.add_fault({"kind": "lose_update"})
    exchange.add_fault({"kind": "repeat_update", "copies": 3})
    buy(exchange)
    assert statuses(exchange, 2) == [["COMPLETE"] * 3, []]
    exchange.add_fault({"kind": "delay_update", "seconds": 2, "skip": 1})
    buy(exchange)
    assert statuses(exchange, 4) == [["OPEN"], [], ["COMPLETE"], []]
    exchange.add_fault({"kind": "delay_update", "seconds": 2, "clock": "wall"})
    buy(exchange)
    assert [one.wait_seconds for one in exchange.trade()] == [2, 0]


def test_a_jump_holds_from_the_next_second_on(exchange: Exchange) -> None:
    exchange.add_fault({"kind": "jump", "tradingsymbol": "INFY", "factor": 0.5, "at": "09:15:01"})
    prices = []
    for _ in range(4):
        exchange.trade()
        quote = exchange.board.quote(STOCK_TOKEN)
        assert quote is not None
        prices.append(quote.last_price)
    assert prices == [1000, 1001, 501, 501.5]


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "jump", "tradingsymbol": "ACME", "factor": 2},
        {"kind": "jump", "tradingsymbol": "INFY26JUN1000CE", "factor": 2},
        {"kind": "halt", "scope": "BSE", "seconds": 2},
        {"kind": "halt", "scope": "NSE:ACME", "seconds": 2},
    ],
)
def test_a_fault_of_what_is_not_listed_is_refused_at_once(
    exchange: Exchange, fields: dict[str, Any]
) -> None:
    with pytest.raises(InputError):
        exchange.add_fault(fields)


@pytest.mark.parametrize("scope", [None, "NSE", "NSE:INFY"])
def test_a_halt_stops_the_ticks_for_its_seconds(exchange: Exchange, scope: str | None) -> None:
    exchange.add_fault({"kind": "halt", "scope": scope, "seconds": 3})
    stock = exchange.board.by_token(STOCK_TOKEN)
    assert stock is not None
    is_open = []
    for _ in range(5):
        exchange.trade()
        is_open.append(exchange.board.is_open(stock, exchange.now_ms))
    assert is_open == [False, False, False, True, True]


def test_each_route_of_kite_is_there_once() -> None:
    routes = [(route.method, route.path) for route in ROUTES]
    assert len(set(routes)) == len(routes) == 23


def test_a_body_that_is_no_list_of_orders_is_refused() -> None:
    bodies: tuple[Any, ...] = (None, {}, [1], "x")
    for body in bodies:
        with pytest.raises(InputError):
            Request(json=body).orders()
