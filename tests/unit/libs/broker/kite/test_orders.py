import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from libs.broker.errors import OrderNotSent, OrderRefused, OrderUnknown, ReplyUnreadable
from libs.broker.kite.backoff import Backoff
from libs.broker.kite.limits import DAY_MS, KiteLimits, Rate
from libs.broker.kite.orders import KiteOrderClient
from libs.broker.kite.rest import KiteRest
from libs.broker.kite.session import KiteSession
from libs.broker.kite.ticker import Ticker
from libs.broker.kite.watch import _SESSION_SECONDS
from libs.broker.port import OrderUpdate, is_from_order
from libs.events.event import ms_from_utc
from tests import skipping
from tests.skipping import skip
from tests.unit.libs.broker.kite.rows import order, request, trade
from tests.unit.libs.broker.kite.servers import (
    CUT,
    FAST,
    Answer,
    HttpKite,
    failure,
    http_kite,
    session,
    socket_kite,
    success,
)

POLL_SECONDS = 0.05
NOW_MS = 1_622_432_937_000
OURS = "ABCDEFGHIJKLMNOP2345"


class Stage:
    """A client at stand-ins, and the test's hand on what they say."""

    def __init__(self, kite: HttpKite) -> None:
        self.kite = kite
        self.postbacks: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.token = "first"
        self.tokens_given = 0
        self.client: KiteOrderClient
        self.rest: KiteRest
        kite.on("POST /orders/regular", success({"order_id": "1"}))
        kite.on("DELETE /orders/regular/1", success({"order_id": "1"}))
        kite.on("GET /orders", success([]))
        kite.on("GET /trades", success([]))

    def session(self) -> KiteSession:
        self.tokens_given += 1
        return session(self.token)

    def book(self, *rows: dict[str, Any]) -> None:
        self.kite.on("GET /orders", success(list(rows)))

    def trades(self, *rows: dict[str, Any]) -> None:
        self.kite.on("GET /trades", success(list(rows)))

    async def updates(self, number: int = 1) -> list[OrderUpdate]:
        taken: list[OrderUpdate] = []
        while len(taken) < number:
            await self.client.updated()
            taken += self.client.take_updates()
        return taken

    async def update_that_is(self, status: str) -> OrderUpdate:
        """Return the first update with a status: a poll may see the trades before the book."""
        while True:
            (update,) = await self.updates()
            if update.status == status:
                return update

    async def asks_nothing_more(self) -> None:
        """Return when many polls could have begun and nothing was asked but what this asks."""
        self.kite.on("GET /user/profile", success({}))
        quiet = 0
        while quiet < 5:  # what is on its way may still end
            asked = len(self.kite.asked)
            await skip(2 * POLL_SECONDS)
            await self.rest.profile()
            quiet = quiet + 1 if len(self.kite.asked) == asked + 1 else 0

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():  # noqa: ASYNC110  # the other end has no event
            await asyncio.sleep(0.005)


def playing(
    play: Callable[[Stage], Any],
    *,
    has_ticker: bool = False,
    poll_seconds: float = POLL_SECONDS,
    limits: KiteLimits = FAST,
) -> None:
    """Let `play` act while the client runs; it has a minute."""

    async def run(stage: Stage, stack: AsyncExitStack) -> None:
        async def handle(connection: Any, _: int) -> None:
            while (row := await stage.postbacks.get()) is not None:
                message = {"type": "order", "data": row}
                await connection.send(json.dumps(message))

        ticker = None
        if has_ticker:
            socket = await stack.enter_async_context(socket_kite(handle))
            ticker = Ticker(socket.address, stage.session, backoff=Backoff(0.01))
            stack.push_async_callback(ticker.close)
        stage.rest = rest = KiteRest(stage.kite.address, stage.session, limits)
        stack.push_async_callback(rest.close)
        stage.client = KiteOrderClient(
            rest, ticker, poll_seconds=poll_seconds, now_ms=lambda: NOW_MS
        )
        running = asyncio.create_task(stage.client.run())
        try:
            await play(stage)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def timed(kite: HttpKite) -> None:
        async with asyncio.timeout(60), AsyncExitStack() as stack:
            await run(Stage(kite), stack)

    with http_kite() as kite:
        skipping.run(timed(kite))


def test_an_order_that_fills_is_found_by_reading_the_book() -> None:
    async def play(stage: Stage) -> None:
        assert await stage.client.place(request()) == "1"
        stage.trades(trade("11", 50, 109.4), trade("12", 25, 109.45))
        stage.book(order(status="COMPLETE", filled=75))
        (update,) = await stage.updates()
        assert (update.broker_order_id, update.tag, update.status) == ("1", "tag1", "COMPLETE")
        assert [fill.price for fill in update.fills] == [Decimal("109.4"), Decimal("109.45")]
        assert stage.client.take_updates() == []

    playing(play)


def test_an_order_that_fills_is_told_by_the_ticker() -> None:
    async def play(stage: Stage) -> None:
        stage.kite.on("GET /orders/1/trades", success([trade()]))
        await stage.client.place(request())
        stage.postbacks.put_nowait(order(status="OPEN"))
        stage.postbacks.put_nowait(order(status="COMPLETE", filled=75))
        (update,) = await stage.updates()
        assert (update.status, len(update.fills)) == ("COMPLETE", 1)
        assert stage.client.describe()["postbacks"] == 2
        assert stage.client.describe()["updates"] == 1

    playing(play, has_ticker=True, poll_seconds=60)


def test_an_update_is_held_until_its_trades_add_up() -> None:
    async def play(stage: Stage) -> None:
        late = [success([]), success([trade("11", 25)]), success([trade("11", 25)])]
        whole = success([trade("11", 25), trade("12", 50)])
        stage.kite.on("GET /orders/1/trades", *late, whole)
        await stage.client.place(request())
        stage.postbacks.put_nowait(order(status="COMPLETE", filled=75))
        (update,) = await stage.updates()
        assert [fill.quantity for fill in update.fills] == [25, 50]
        assert stage.kite.count("GET /orders/1/trades") >= 4

    playing(play, has_ticker=True, poll_seconds=0.5)


def test_doubled_late_and_unreadable_postbacks_change_nothing() -> None:
    async def play(stage: Stage) -> None:
        stage.kite.on("GET /orders/1/trades", success([trade("11", 75)]))
        await stage.client.place(request())
        complete = order(status="COMPLETE", filled=75)
        for row in (complete, complete, order(filled=25), {"order_id": "1"}, order()):
            stage.postbacks.put_nowait(row)
        await stage.until(lambda: stage.client.describe()["postbacks"] == 5)
        (update,) = await stage.updates()
        assert update.status == "COMPLETE"
        assert stage.client.take_updates() == []
        assert stage.client.describe()["unreadable"] == 1

    playing(play, has_ticker=True, poll_seconds=60)


def test_a_book_with_an_order_that_cannot_be_read_is_no_answer_to_a_look_up() -> None:
    async def play(stage: Stage) -> None:
        for broken in ({"order_id": "2", "tag": OURS}, order("2", status=None, tag=OURS)):
            stage.book(order(), broken)
            with pytest.raises(ReplyUnreadable, match="orders of ours cannot be read: 2"):
                await stage.client.orders()
        stage.book(order())
        assert [update.tag for update in await stage.client.orders()] == ["tag1"]

    playing(play, poll_seconds=60)


def test_an_order_placed_here_that_cannot_be_read_is_known_by_its_id() -> None:
    async def play(stage: Stage) -> None:
        await stage.client.place(request())
        stage.book({"order_id": "1"})
        with pytest.raises(ReplyUnreadable, match="orders of ours"):
            await stage.client.orders()

    playing(play, poll_seconds=60)


FOREIGN = [
    {"order_id": "777", "tag": None},
    {"order_id": "777"},
    {"tag": "by hand"},
    {},
    None,
    "garbage",
    order("777", status=None, tag=None),
    order("777", tag=None, filled_quantity="x"),
    order("777", tag=None, average_price="x"),
    order("777", tag=None, transaction_type="NEITHER"),
]


@pytest.mark.parametrize("row", FOREIGN)
def test_an_order_of_somebody_else_that_cannot_be_read_spoils_nothing_and_is_named_once(
    row: Any,
) -> None:
    async def play(stage: Stage) -> None:
        stage.book(order(tag=OURS), row)
        for _ in range(3):
            (update,) = await stage.client.orders()
            assert update.tag == OURS
        (named,) = stage.client.rows.current()
        assert named.what == "order"
        assert named.broker_order_id in ("777", "")
        assert stage.client.describe()["unreadable"] == 1
        stage.book(order(tag=OURS))
        await stage.client.orders()
        assert stage.client.rows.current() == ()

    with capture_logs() as logs:
        playing(play, poll_seconds=60)
    assert [log["event"] for log in logs].count("left out: it cannot be read") == 1


@pytest.mark.parametrize("filled", [50, None])
def test_an_order_by_hand_whose_trades_are_not_listed_keeps_nobody_waiting(
    filled: int | None,
) -> None:
    async def play(stage: Stage) -> None:
        by_hand = order("777", "COMPLETE", quantity=50, filled_quantity=filled, tag=None)
        stage.book(order(status="COMPLETE", filled=75, tag=OURS), by_hand)
        stage.trades(trade())
        ours, other = await stage.client.orders()
        assert (ours.tag, [fill.fill_id for fill in ours.fills]) == (OURS, ["11"])
        assert (other.broker_order_id, other.tag, other.status) == ("777", "", "COMPLETE")
        assert stage.kite.count("GET /orders/777/trades") == 0
        assert stage.client.describe()["pending"] <= 2  # updates that nobody took yet

    playing(play, poll_seconds=60)


def test_a_year_that_cannot_be_spoils_neither_its_trade_nor_the_rows_beside_it() -> None:
    impossible = {"order_timestamp": "0000-01-01 09:35:36"}
    soon = {"fill_timestamp": "2026-06-16 09:35:36", "exchange_timestamp": "2026-06-16 09:35:36"}

    async def play(stage: Stage) -> None:
        stage.book(
            order(status="COMPLETE", filled=65, quantity=65, tag=OURS, **impossible),
            order("777", tag=None, **impossible),
        )
        stage.trades({**trade("10000000", 65, 120.5), **impossible, **soon})
        ours, _ = await stage.client.orders()
        (fill,) = ours.fills
        assert (fill.fill_id, fill.quantity, fill.price) == ("10000000", 65, Decimal("120.5"))
        assert fill.at_ms == ms_from_utc(datetime(2026, 6, 16, 4, 5, 36, tzinfo=UTC))

    playing(play, poll_seconds=60)


BROKEN_TRADES = [None, {}, {**trade("99"), "quantity": None}, {**trade("99"), "order_id": None}]


@pytest.mark.parametrize("broken", BROKEN_TRADES)
def test_a_trade_that_cannot_be_read_spoils_none_beside_it(broken: Any) -> None:
    async def play(stage: Stage) -> None:
        stage.book(order(status="COMPLETE", filled=75, tag=OURS))
        stage.trades(broken, trade())
        (update,) = await stage.client.orders()
        assert [fill.fill_id for fill in update.fills] == ["11"]
        assert [one.what for one in stage.client.rows.current()] == ["trade"]

    playing(play, poll_seconds=60)


def test_a_fill_is_told_from_its_order_while_no_request_is_answered_and_confirmed_once() -> None:
    async def play(stage: Stage) -> None:
        await stage.client.place(request())
        for read in ("GET /orders", "GET /trades", "GET /orders/1/trades"):
            stage.kite.on(read, CUT)
        stage.postbacks.put_nowait(order(status="COMPLETE", filled=75))
        await stage.until(lambda: stage.client.describe()["postbacks"])
        await skip(1.5)
        assert stage.client.take_updates() == []
        await skip(1.0)
        (update,) = await stage.updates()
        (fill,) = update.fills
        assert (update.status, fill.quantity, fill.price) == ("COMPLETE", 75, Decimal("109.4"))
        assert is_from_order(fill)
        stage.trades(trade("11", 50), trade("12", 25))
        stage.book(order(status="COMPLETE", filled=75))
        await stage.until(lambda: any(one["event"] == "trades confirm a fill" for one in logs))
        assert stage.client.take_updates() == []
        assert (await stage.client.orders())[0].fills == (fill,)
        await stage.asks_nothing_more()

    with capture_logs() as logs:
        playing(play, has_ticker=True)


def test_of_a_partial_fill_the_rest_is_told_by_its_own_trades() -> None:
    async def play(stage: Stage) -> None:
        await stage.client.place(request())
        for read in ("GET /orders", "GET /trades", "GET /orders/1/trades"):
            stage.kite.on(read, CUT)
        stage.postbacks.put_nowait(order(status="UPDATE", filled=25))
        await stage.until(lambda: stage.client.describe()["postbacks"])
        await skip(2.5)
        (first,) = await stage.updates()
        assert (first.status, first.filled_quantity) == ("OPEN", 25)
        stage.trades(trade("11", 25), trade("12", 50, 109.5))
        stage.book(order(status="COMPLETE", filled=75, average_price=109.4667))
        (last,) = await stage.updates()
        assert (last.status, last.fills[:1]) == ("COMPLETE", first.fills)
        assert [(fill.fill_id, fill.quantity) for fill in last.fills[1:]] == [("12", 50)]

    playing(play, has_ticker=True)


def test_a_lost_postback_is_made_good_by_the_book_after_a_reconnect() -> None:
    async def play(stage: Stage) -> None:
        await stage.client.place(request())
        await stage.until(lambda: stage.client.describe()["polls"] >= 1)
        stage.trades(trade())
        stage.book(order(status="COMPLETE", filled=75))
        stage.postbacks.put_nowait(None)
        (update,) = await stage.updates()
        assert update.status == "COMPLETE"
        assert stage.client.describe()["reconnects"] == 1

    playing(play, has_ticker=True, poll_seconds=60)


def test_while_nothing_works_the_book_is_left_alone() -> None:
    async def play(stage: Stage) -> None:
        await stage.until(lambda: stage.client.describe()["polls"] == 1)
        await stage.asks_nothing_more()
        assert stage.client.describe()["polls"] == 1
        await stage.client.place(request())
        stage.book(order(status="REJECTED", status_message="no funds"))
        (update,) = await stage.updates()
        assert (update.status, update.reason) == ("REJECTED", "no funds")
        await stage.asks_nothing_more()

    playing(play)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (failure(400, "OrderException", "no funds"), OrderRefused),
        (failure(400, "InputException"), OrderRefused),
        (failure(403, "TokenException"), OrderNotSent),
        (failure(429, "NetworkException"), OrderNotSent),
        (failure(503, "NetworkException"), OrderUnknown),
        (failure(500, "OrderException"), OrderUnknown),
        (Answer(b"<html>", 504, "text/html"), OrderUnknown),
        (Answer(b"<html>", 200, "text/html"), OrderUnknown),
        (CUT, OrderUnknown),
    ],
)
def test_a_placing_is_refused_or_unknown(answer: Answer, expected: type[Exception]) -> None:
    async def play(stage: Stage) -> None:
        stage.kite.on("POST /orders/regular", answer)
        with pytest.raises(expected):
            await stage.client.place(request())
        assert stage.kite.count("POST /orders/regular") == 1

    playing(play)


def test_a_placing_that_is_not_answered_in_time_is_unknown() -> None:
    never = threading.Event()

    async def play(stage: Stage) -> None:
        stage.kite.on("POST /orders/regular", Answer(b"{}", after=never))
        stage.kite.timeout_seconds = 0.05
        hasty = KiteRest(stage.kite.address, stage.session, FAST)
        client = KiteOrderClient(hasty, None, now_ms=lambda: NOW_MS)
        with pytest.raises(OrderUnknown):
            await client.place(request())
        never.set()
        await hasty.close()
        assert stage.kite.count("POST /orders/regular") == 1

    playing(play)


def test_an_order_in_doubt_is_found_by_its_tag() -> None:
    async def play(stage: Stage) -> None:
        stage.kite.on("POST /orders/regular", CUT)
        with pytest.raises(OrderUnknown):
            await stage.client.place(request())
        await stage.until(lambda: stage.client.describe()["polls"] >= 2)
        stage.book(order(status="OPEN"))
        (update,) = await stage.updates()
        assert (update.broker_order_id, update.tag, update.status) == ("1", "tag1", "OPEN")

    playing(play)


@pytest.mark.parametrize(
    "failed",
    [failure(400, "OrderException", "already complete"), CUT, failure(503, "NetworkException")],
)
def test_a_cancellation_that_fails_is_asked_for_again_while_the_order_works(failed: Answer) -> None:
    async def play(stage: Stage) -> None:
        await stage.client.place(request())
        stage.book(order(status="OPEN"))
        stage.kite.on("DELETE /orders/regular/1", failed, failed, success({"order_id": "1"}))
        await stage.client.cancel("1")
        await stage.until(lambda: stage.kite.count("DELETE /orders/regular/1") == 3)
        stage.book(order(status="CANCELLED"))
        (update,) = await stage.updates()
        assert update.status == "CANCELLED"
        await stage.asks_nothing_more()
        assert stage.kite.count("DELETE /orders/regular/1") == 3

    playing(play)


def test_a_cancellation_that_comes_too_late_ends_in_the_fill() -> None:
    async def play(stage: Stage) -> None:
        await stage.client.place(request())
        stage.kite.on("DELETE /orders/regular/1", failure(400, "OrderException", "complete"))
        stage.trades(trade())
        stage.book(order(status="COMPLETE", filled=75))
        await stage.client.cancel("1")
        (update,) = await stage.updates()
        assert update.status == "COMPLETE"
        await stage.asks_nothing_more()
        assert stage.kite.count("DELETE /orders/regular/1") == 1

    playing(play)


def test_the_order_book_is_joined_with_its_trades() -> None:
    async def play(stage: Stage) -> None:
        ours = order(status="COMPLETE", filled=75, tag=OURS)
        stage.book(ours, order("2", tag="tag2", status="CANCELLED"))
        stage.trades(trade("11", 50))
        stage.kite.on("GET /orders/1/trades", success([trade("11", 50), trade("12", 25)]))
        first, second = await stage.client.orders()
        assert [fill.fill_id for fill in first.fills] == ["11", "12"]
        assert (second.tag, second.status) == ("tag2", "CANCELLED")

    playing(play)


@pytest.mark.parametrize("answer", [success([]), failure(404, "DataException"), success([None])])
def test_an_order_whose_trades_never_add_up_tells_its_fill_itself(answer: Answer) -> None:
    async def play(stage: Stage) -> None:
        stage.book(order(status="COMPLETE", filled=75, tag=OURS))
        stage.kite.on("GET /orders/1/trades", answer)
        (update,) = await stage.client.orders()
        assert [(fill.fill_id, fill.quantity) for fill in update.fills] == [("order-1-75", 75)]

    playing(play)


def test_an_order_book_whose_fills_cannot_be_told_is_not_given_out() -> None:
    async def play(stage: Stage) -> None:
        stage.book(order(status="COMPLETE", filled=75, average_price=None, tag=OURS))
        stage.kite.on("GET /orders/1/trades", success([]))
        with pytest.raises(ReplyUnreadable, match="do not add up"):
            await stage.client.orders()

    playing(play)


def test_troubles_of_the_broker_are_waited_out() -> None:
    async def play(stage: Stage) -> None:
        unwell = [failure(503, "NetworkException"), CUT, failure(429, "x"), Answer(b"<", 200, "a")]
        stage.kite.on("GET /orders", *unwell, success([order(status="REJECTED")]))
        (update,) = await stage.updates()
        assert update.status == "REJECTED"

    playing(play)


def test_a_session_that_is_over_is_said_once_and_waited_out() -> None:
    async def play(stage: Stage) -> None:
        rejected = success([order(status="REJECTED")])
        stage.kite.on("GET /orders", failure(403, "TokenException"), rejected)
        await stage.until(lambda: any(log["event"] == "waiting for a new session" for log in logs))
        given = stage.tokens_given
        await skip(2 * _SESSION_SECONDS, times=3)
        assert stage.tokens_given >= given + 3  # it was tried again and again, and not sent
        assert stage.kite.count("GET /orders") == 1
        stage.token = "second"
        await skip(2 * _SESSION_SECONDS)
        assert len(await stage.updates()) == 1

    with capture_logs() as logs:
        playing(play)
    events = [log["event"] for log in logs]
    assert events.count("waiting for a new session") == 1
    assert events.count("there is a session again") == 1


def test_updates_outlive_a_restart_of_run() -> None:
    async def play(stage: Stage) -> None:
        await stage.client.place(request())
        again = asyncio.create_task(stage.client.run())
        await asyncio.sleep(0.02)
        again.cancel()
        stage.trades(trade())
        stage.book(order(status="COMPLETE", filled=75))
        await stage.client.updated()
        again = asyncio.create_task(stage.client.run())
        await asyncio.sleep(0.02)
        again.cancel()
        assert [update.status for update in stage.client.take_updates()] == ["COMPLETE"]
        with suppress(asyncio.CancelledError):
            await again

    playing(play)


def test_a_limit_order_is_modified_by_its_whole_quantity_and_an_exact_price() -> None:
    async def play(stage: Stage) -> None:
        stage.kite.on("PUT /orders/regular/1", success({"order_id": "1"}))
        await stage.client.modify("1", 150, Decimal("109.40"))
        (asked,) = [one for one in stage.kite.asked if one.method == "PUT"]
        sent = {name: asked.fields[name] for name in ("quantity", "price", "order_type")}
        assert sent == {"quantity": ["150"], "price": ["109.40"], "order_type": ["LIMIT"]}

    playing(play)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (failure(400, "OrderException", "Order cannot be modified"), OrderRefused),
        (failure(429, "NetworkException"), OrderNotSent),
        (failure(503, "NetworkException"), OrderUnknown),
        (CUT, OrderUnknown),
    ],
)
def test_a_modification_is_refused_or_in_doubt_as_a_placing_is(
    answer: Answer, expected: type[Exception]
) -> None:
    async def play(stage: Stage) -> None:
        stage.kite.on("PUT /orders/regular/1", answer)
        with pytest.raises(expected):
            await stage.client.modify("1", 150, Decimal(109))

    playing(play)


def test_a_modified_order_is_complete_when_kite_says_so_and_not_at_its_old_quantity() -> None:
    async def play(stage: Stage) -> None:
        stage.kite.on("PUT /orders/regular/1", success({"order_id": "1"}))
        await stage.client.place(request())
        await stage.client.modify("1", 150, Decimal(110))
        stage.trades(trade("11", 75))
        stage.book(order(filled=75))  # late news: still with the quantity of before
        (update,) = await stage.updates()
        assert (update.status, len(update.fills)) == ("OPEN", 1)
        stage.trades(trade("11", 75), trade("12", 75))
        stage.book(order(status="COMPLETE", filled=150, quantity=150))
        (update,) = await stage.updates()
        assert (update.status, len(update.fills)) == ("COMPLETE", 2)

    playing(play)


def test_the_26th_modification_is_refused_and_not_sent() -> None:
    async def play(stage: Stage) -> None:
        stage.kite.on("PUT /orders/regular/1", success({"order_id": "1"}))
        for number in range(25):
            assert stage.client.modifications_left("1") == 25 - number
            await stage.client.modify("1", 75, Decimal(100 + number))
        with pytest.raises(OrderRefused, match="as often as Kite allows"):
            await stage.client.modify("1", 75, Decimal(200))
        assert stage.kite.count("PUT /orders/regular/1") == 25
        assert stage.client.modifications_left("2") == 25

    playing(play, poll_seconds=60)


def test_a_modification_that_was_not_sent_is_not_counted() -> None:
    async def play(stage: Stage) -> None:
        stage.kite.on("PUT /orders/regular/1", failure(429, "NetworkException"))
        with pytest.raises(OrderNotSent):
            await stage.client.modify("1", 75, Decimal(100))
        assert stage.client.modifications_left("1") == 25
        stage.kite.on("PUT /orders/regular/1", CUT)
        with pytest.raises(OrderUnknown):
            await stage.client.modify("1", 75, Decimal(100))
        assert stage.client.modifications_left("1") == 24

    playing(play, poll_seconds=60)


def test_modifications_of_before_a_restart_are_counted_from_the_orders_history() -> None:
    async def play(stage: Stage) -> None:
        states = ["OPEN", *["MODIFY VALIDATION PENDING", "MODIFY PENDING", "OPEN"] * 7]
        stage.kite.on("GET /orders/1", success([order(status=state) for state in states]))
        stage.kite.on("GET /orders/2", CUT)
        await stage.until(lambda: stage.client.describe()["polls"] == 1)
        others = [order("2", tag=OURS, modified=True), order("3", tag=None, modified=True)]
        stage.book(order(tag=OURS, modified=True), *others)
        await stage.client.orders()
        assert stage.client.modifications_left("1") == 18
        assert stage.client.modifications_left("2") == 25
        stage.kite.on("GET /orders/2", success([order(status="OPEN")]))
        await stage.client.orders()
        assert stage.client.modifications_left("2") == 24
        assert stage.kite.count("GET /orders/1") == 1
        assert stage.kite.count("GET /orders/3") == 0

    playing(play, poll_seconds=60)


def test_what_the_account_has_ordered_today_counts_after_a_restart() -> None:
    async def play(stage: Stage) -> None:
        recent = [order(str(number), tag=None) for number in range(10, 17)]
        earlier = {"order_timestamp": "2021-05-31 09:10:00"}
        stage.book(*recent, *(order(str(number), tag=None, **earlier) for number in range(20, 60)))
        await stage.client.orders()
        left = stage.rest.left("orders")
        assert left[DAY_MS] == 5_000 - 47
        assert left[60_000] == 400 - 7
        await stage.client.orders()
        assert stage.rest.left("orders") == left
        await stage.client.place(request())
        assert stage.rest.left("orders")[DAY_MS] == 5_000 - 48

    day = replace(
        FAST, rates={**FAST.rates, "orders": (Rate(400, 60_000), Rate(5_000, DAY_MS))}, kept={}
    )
    playing(play, poll_seconds=60, limits=day)


def test_without_a_session_an_order_is_not_sent_and_says_that_a_login_is_needed() -> None:
    async def play(stage: Stage) -> None:
        stage.kite.on("POST /orders/regular", failure(403, "TokenException"))
        for _ in range(2):
            with pytest.raises(OrderNotSent) as caught:
                await stage.client.place(request())
            assert caught.value.needs_login
        assert stage.kite.count("POST /orders/regular") == 1
        stage.kite.on("POST /orders/regular", success({"order_id": "1"}))
        stage.token = "second"
        assert await stage.client.place(request()) == "1"

    playing(play, poll_seconds=60)


def test_an_order_that_may_not_be_sent_any_more_leaves_no_doubt() -> None:
    async def play(stage: Stage) -> None:
        await stage.until(lambda: stage.client.describe()["polls"] == 1)
        with pytest.raises(OrderNotSent) as caught:
            await stage.client.place(request(), lambda: False)
        assert not caught.value.needs_login
        assert stage.kite.count("POST /orders/regular") == 0
        await stage.asks_nothing_more()

    playing(play)


def test_slices_are_followed_under_the_tag_of_their_order_and_a_refused_one_is_said() -> None:
    async def play(stage: Stage) -> None:
        refused = {"error": {"error_type": "MarginException", "message": "no funds"}}
        children = [{"order_id": "1"}, refused, {"order_id": "2"}]
        reply = success({"order_id": "9", "children": children})
        stage.kite.on("POST /orders/regular", reply)
        assert await stage.client.place(request()) == "9"
        sliced = {"tag": "autoslice", "tags": ["autoslice", "autoslice:9"]}
        stage.trades(trade("11"))
        stage.book(order("1", "COMPLETE", 75, **sliced), order("2", quantity=50, **sliced))
        first, second = await stage.client.orders()
        assert (first.tag, first.status, first.filled_quantity) == ("tag1", "COMPLETE", 75)
        assert (second.tag, second.status, second.quantity) == ("tag1", "OPEN", 50)

    with capture_logs() as logs:
        playing(play, poll_seconds=60)
    assert [log["reason"] for log in logs if log["event"] == "a slice is refused"] == ["no funds"]


def test_a_trade_book_that_cannot_be_read_at_all_keeps_nobody_waiting() -> None:
    async def play(stage: Stage) -> None:
        stage.book(order(status="COMPLETE", filled=75, tag=OURS))
        stage.kite.on("GET /trades", success(None))
        stage.kite.on("GET /orders/1/trades", success([trade()]))
        (update,) = await stage.client.orders()
        assert [fill.fill_id for fill in update.fills] == ["11"]
        assert [one.what for one in stage.client.rows.current()] == ["trade"]

    playing(play, poll_seconds=60)
