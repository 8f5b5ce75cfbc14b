"""The exchange without HTTP: the caller moves its clock and sets its quotes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import pytest

from libs.market.quotes import Quote
from services.simulator.domain.account import AccountRules
from services.simulator.domain.errors import InputError, KiteError, TokenError
from services.simulator.domain.market.quoted import QuotedMarket
from services.simulator.in_process import ConnectionLost, InProcessExchange, Reply
from tests.unit.services.simulator.account.market_stand_in import DAY, LISTED, OPTION, at, order


class Trader:
    """Somebody who is logged in; a second of the clock shows a quote and matches."""

    def __init__(self, start: str = "10:00:00", day: date = DAY, **settings: Any) -> None:
        self.waited: list[float] = []
        market = QuotedMarket(day, LISTED, {OPTION: 100.0})
        self.exchange = InProcessExchange(market, at(start, day), wait=self.wait, **settings)
        self.token = self.exchange.log_in()
        self.show()

    async def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.go(round(seconds))

    def show(self, bid: float = 99.95, ask: float = 100.05, last: float = 100.0) -> None:
        quote = Quote(self.exchange.now_ms, last, 0, 0, bid, 6500, ask, 6500)
        self.exchange.market.show(OPTION, quote)

    def go(self, seconds: int = 1) -> None:
        for _ in range(seconds):
            now_ms = self.exchange.now_ms + 1000
            self.exchange.market.show(OPTION, Quote(now_ms, 100.0, 0, 0, 99.95, 6500, 100.05, 6500))
            self.exchange.play_to(now_ms)

    async def call(self, method: str, path: str, **asked: Any) -> Reply:
        return await self.exchange.call(method, path, access_token=self.token, **asked)

    async def buy(self, **fields: Any) -> Reply:
        return await self.call("POST", "/orders/regular", form=order(**fields))

    async def orders(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await self.call("GET", "/orders")).data
        return rows


def trading(play: Callable[[Trader], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        await play(Trader(**settings))

    asyncio.run(run())


def test_an_order_goes_through_its_life_on_a_clock_that_the_caller_moves() -> None:
    async def play(trader: Trader) -> None:
        socket = trader.exchange.connect(trader.token)
        placed = await trader.buy(tag="abc")
        assert (placed.status, placed.content_type) == (200, "application/json")
        assert [row["status"] for row in await trader.orders()] == ["VALIDATION PENDING"]
        trader.go()
        (trade,) = (await trader.call("GET", "/trades")).data
        assert trade["order_id"] == placed.data["order_id"]
        assert [update["status"] for update in socket.take()] == ["OPEN", "COMPLETE"]
        history = await trader.call("GET", f"/orders/{trade['order_id']}")
        assert history.data[-1]["status"] == "COMPLETE"
        (held,) = (await trader.call("GET", "/portfolio/positions")).data["net"]
        assert held["quantity"] == 65

    trading(play)


def test_a_refusal_has_kites_status_and_words() -> None:
    async def play(trader: Trader) -> None:
        reply = await trader.buy(quantity=0)
        assert (reply.status, b"InputException" in reply.content) == (400, True)
        with pytest.raises(ValueError, match="quantity"):
            _ = reply.data
        assert (await trader.call("GET", "/nowhere")).status == 404

    trading(play)


@pytest.mark.parametrize(("kind", "carried_out"), [("lose_reply", 1), ("lose_request", 0)])
def test_the_connection_is_lost_before_or_after_the_order_was_taken(
    kind: str, carried_out: int
) -> None:
    async def play(trader: Trader) -> None:
        trader.exchange.add_fault({"kind": kind, "method": "POST"})
        with pytest.raises(ConnectionLost):
            await trader.buy()
        assert len(await trader.orders()) == carried_out

    trading(play)


def test_a_fault_that_waits_waits_by_the_callers_clock() -> None:
    async def play(trader: Trader) -> None:
        trader.exchange.add_fault({"kind": "delay", "method": "POST", "seconds": 3})
        assert (await trader.buy()).status == 200
        trader.exchange.add_fault(
            {"kind": "delay", "method": "POST", "seconds": 4, "when": "after"}
        )
        assert (await trader.buy()).status == 200
        assert [row["status"] for row in await trader.orders()] == ["COMPLETE", "COMPLETE"]
        trader.exchange.add_fault({"kind": "hang", "method": "POST", "seconds": 5})
        with pytest.raises(ConnectionLost):
            await trader.buy()
        assert trader.waited == [3, 4, 5]

    trading(play)


@pytest.mark.parametrize(
    ("fault", "status", "carried_out"),
    [
        ({"kind": "status", "status": 502, "when": "after"}, 502, 1),
        ({"kind": "status", "status": 503}, 503, 0),
        ({"kind": "html", "status": 200, "when": "after"}, 200, 1),
        ({"kind": "token"}, 403, 0),
        ({"kind": "limit"}, 429, 0),
    ],
)
def test_a_fault_answers_in_place_of_the_exchange(
    fault: dict[str, Any], status: int, carried_out: int
) -> None:
    async def play(trader: Trader) -> None:
        trader.exchange.add_fault(fault | {"method": "POST"})
        assert (await trader.buy()).status == status
        assert len(await trader.orders()) == carried_out

    trading(play)


def test_more_than_ten_orders_a_second_are_refused_unless_the_limits_are_off() -> None:
    async def count(trader: Trader) -> int:
        return sum([(await trader.buy()).status == 200 for _ in range(12)])

    async def limited(trader: Trader) -> None:
        assert await count(trader) == 10

    async def unlimited(trader: Trader) -> None:
        assert await count(trader) == 12

    trading(limited)
    trading(unlimited, limits=False)


def test_an_update_is_lost_repeated_or_late_on_each_connection() -> None:
    async def play(trader: Trader) -> None:
        sockets = [trader.exchange.connect(trader.token) for _ in range(2)]
        trader.exchange.add_fault({"kind": "lose_update"})
        trader.exchange.add_fault({"kind": "delay_update", "seconds": 2, "clock": "wall"})
        await trader.buy()
        trader.go(2)
        assert [socket.take() for socket in sockets] == [[], []]
        trader.go()
        assert [[one["status"] for one in socket.take()] for socket in sockets] == [
            ["COMPLETE"],
            ["COMPLETE"],
        ]

    trading(play)


def test_a_connection_falls_silent_or_breaks() -> None:
    async def play(trader: Trader) -> None:
        socket, other = (trader.exchange.connect(trader.token) for _ in range(2))
        trader.exchange.add_fault({"kind": "close", "connection": other.number})
        trader.exchange.add_fault({"kind": "silence", "connection": socket.number, "seconds": 2})
        trader.go()
        await trader.buy()
        trader.go()
        assert (socket.take(), other.is_closed, socket.is_closed) == ([], True, False)
        trader.go()
        await trader.buy()
        trader.go()
        assert (len(socket.take()), other.take()) == (2, [])

    trading(play)


def test_a_session_that_is_over_opens_no_connection_and_answers_nothing() -> None:
    async def play(trader: Trader) -> None:
        old = trader.token
        trader.token = trader.exchange.log_in()
        with pytest.raises(TokenError):
            trader.exchange.connect(old)
        assert (await trader.exchange.call("GET", "/orders", access_token=old)).status == 403
        assert (await trader.call("GET", "/orders")).status == 200
        trader.exchange.add_fault({"kind": "refuse"})
        with pytest.raises(KiteError):
            trader.exchange.connect(trader.token)

    trading(play)


def test_an_account_goes_on_in_another_exchange() -> None:
    async def play(trader: Trader) -> None:
        await trader.buy()
        trader.go()
        later = Trader("11:00:00", after=trader.exchange.account.dump(), rules=AccountRules())
        (held,) = (await later.call("GET", "/portfolio/positions")).data["net"]
        assert (held["quantity"], len(await later.orders())) == (65, 1)

    trading(play)


def test_trading_halts_and_prices_do_not_jump_by_themselves() -> None:
    async def play(trader: Trader) -> None:
        trader.exchange.add_fault({"kind": "halt", "seconds": 5})
        trader.go()
        await trader.buy()
        trader.go()
        assert [row["status"] for row in await trader.orders()] == ["REJECTED"]
        with pytest.raises(InputError, match="set by the caller"):
            trader.exchange.add_fault({"kind": "jump", "tradingsymbol": "NIFTY 50", "factor": 2})
        with pytest.raises(ValueError, match="go back"):
            trader.exchange.play_to(trader.exchange.now_ms - 1)

    trading(play)
