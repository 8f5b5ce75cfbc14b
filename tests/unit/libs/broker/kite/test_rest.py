import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from libs.broker.errors import (
    BrokerError,
    BrokerUnavailable,
    DumpRefused,
    LoginRefused,
    OrderNotSent,
    RateLimited,
    ReplyUnreadable,
    RequestRefused,
    SessionExpired,
    SessionMissing,
)
from libs.broker.kite.address import KiteAddress
from libs.broker.kite.lanes import READING_THREADS
from libs.broker.kite.limits import KiteLimits
from libs.broker.kite.mapping import order_fields
from libs.broker.kite.replies import Placed
from libs.broker.kite.rest import KiteRest, open_session
from libs.broker.kite.session import KiteSession
from tests.unit.libs.broker.kite.rows import order, request, trade
from tests.unit.libs.broker.kite.servers import (
    CUT,
    FAST,
    LOGIN,
    TOKEN,
    Answer,
    HttpKite,
    failure,
    http_kite,
    limits,
    session,
    success,
)

Call = Callable[[KiteRest], Awaitable[Any]]


def asking(
    kite: HttpKite,
    call: Call,
    session: Callable[[], KiteSession] = session,
    limits: KiteLimits = FAST,
    address: KiteAddress | None = None,
) -> Any:
    async def play() -> Any:
        rest = KiteRest(address or kite.address, session, limits)
        try:
            async with asyncio.timeout(10):
                return await call(rest)
        finally:
            await rest.close()

    return asyncio.run(play())


def test_a_read_is_asked_with_the_session() -> None:
    with http_kite() as kite:
        kite.on("GET /user/profile", success({"user_id": "AB1234"}))
        assert asking(kite, lambda rest: rest.profile()) == {"user_id": "AB1234"}
        assert kite.asked[0].authorization == f"token key:{TOKEN}"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (failure(403, "TokenException"), SessionExpired),
        (failure(403, "PermissionException"), RequestRefused),
        (failure(400, "InputException"), RequestRefused),
        (failure(429, "NetworkException"), RateLimited),
        (Answer(b"slow down", 429, "text/plain"), RateLimited),
        (failure(503, "NetworkException"), BrokerUnavailable),
        (Answer(b"<html>", 502, "text/html"), BrokerUnavailable),
        (Answer(b"<html>", 200, "text/html"), ReplyUnreadable),
        (Answer(b"{}", 200, ""), ReplyUnreadable),
        (Answer(b"{", 200), ReplyUnreadable),
        (Answer(b"[]", 200), ReplyUnreadable),
        (Answer(b"null", 200), ReplyUnreadable),
        (Answer(b"{}", 200), ReplyUnreadable),
        (Answer(b"\xff\xfe", 200), ReplyUnreadable),
        (Answer(b'{"status":"error","error_type":"OrderException","message":"x"}'), RequestRefused),
        (Answer(b'{"status":"error","error_type":null,"message":"x"}'), ReplyUnreadable),
        (success(None), ReplyUnreadable),
        (success([]), ReplyUnreadable),
        (CUT, BrokerUnavailable),
    ],
)
def test_every_failure_has_one_error(answer: Answer, expected: type[BrokerError]) -> None:
    with http_kite() as kite:
        kite.on("GET /user/profile", answer)
        with pytest.raises(expected) as caught:
            asking(kite, lambda rest: rest.profile())
        assert type(caught.value) is expected
        assert caught.value.__cause__ is None
        assert kite.count("GET /user/profile") == 1


def test_a_reply_that_does_not_come_in_time_is_one_that_may_have_had_an_effect() -> None:
    never = threading.Event()
    with http_kite() as kite:
        kite.on("GET /user/profile", Answer(b"{}", after=never))
        kite.timeout_seconds = 0.05
        with pytest.raises(BrokerUnavailable) as caught:
            asking(kite, lambda rest: rest.profile())
        assert caught.value.was_sent
        never.set()


def test_what_never_left_says_so() -> None:
    with http_kite() as kite:
        nowhere = KiteAddress("key", root="http://127.0.0.1:1")
        with pytest.raises(BrokerUnavailable) as caught:
            asking(kite, lambda rest: rest.place_order(**order_fields(request())), address=nowhere)
        assert not caught.value.was_sent
        kite.on("POST /orders/regular", CUT)
        with pytest.raises(BrokerUnavailable) as caught:
            asking(kite, lambda rest: rest.place_order(**order_fields(request())))
        assert caught.value.was_sent


def test_a_request_whose_connection_cannot_be_secured_was_never_sent() -> None:
    with http_kite() as kite:
        secure = KiteAddress("key", root=kite.address.root.replace("http:", "https:"))
        with pytest.raises(BrokerUnavailable) as caught:
            asking(kite, lambda rest: rest.place_order(**order_fields(request())), address=secure)
        assert not caught.value.was_sent
        assert kite.asked == []


def test_whether_an_order_may_be_sent_is_asked_after_connecting_and_before_sending() -> None:
    asked: list[str] = []

    def may_send() -> bool:
        while not kite.connections:
            time.sleep(0.005)  # the other end has not heard of it yet
        asked.append("connected")
        return False

    with http_kite() as kite:
        kite.on("POST /orders/regular", success({"order_id": "1"}))
        with pytest.raises(OrderNotSent):
            asking(kite, lambda rest: rest.place_order(may_send, **order_fields(request())))
        assert kite.asked == []
        assert asked[-1:] == ["connected"]
        placed = asking(kite, lambda rest: rest.place_order(**order_fields(request())))
        assert placed == Placed("1")


@pytest.mark.parametrize("is_urgent", [True, False])
def test_an_order_that_is_in_time_no_more_after_a_429_is_not_sent(is_urgent: bool) -> None:
    async def play(rest: KiteRest) -> None:
        with pytest.raises(RateLimited):
            await rest.cancel_order("1")
        until = time.monotonic() + 0.1
        with pytest.raises(RateLimited) as caught:
            await rest.place_order(
                lambda: time.monotonic() < until, is_urgent=is_urgent, **order_fields(request())
            )
        assert 0 < caught.value.retry_after_ms <= 2_000

    with http_kite() as kite:
        kite.on("DELETE /orders/regular/1", failure(429, "NetworkException"))
        asking(kite, play, limits=limits(cool_down_ms=2_000))
        assert kite.count("POST /orders/regular") == 0


def test_what_is_urgent_does_not_wait_behind_entries_whose_replies_do_not_come() -> None:
    released = threading.Event()

    async def play(rest: KiteRest) -> None:
        fields = order_fields(request())
        entries = [asyncio.create_task(rest.place_order(**fields)) for _ in range(3)]
        while kite.count("POST /orders/regular") < 3:  # noqa: ASYNC110  all of them wait
            await asyncio.sleep(0.005)
        await rest.cancel_order("1")
        await rest.modify_order(variety="regular", order_id="1", price="110.05")
        assert await rest.profile() == {}
        released.set()
        await asyncio.gather(*entries)

    with http_kite() as kite:
        kite.on("POST /orders/regular", replace(success({"order_id": "1"}), after=released))
        kite.on("DELETE /orders/regular/1", success({"order_id": "1"}))
        kite.on("PUT /orders/regular/1", success({"order_id": "1"}))
        kite.on("GET /user/profile", success({}))
        asking(kite, play)


def test_a_refused_token_is_not_sent_again_but_a_newer_one_is() -> None:
    tokens = ["first"]

    async def play(rest: KiteRest) -> None:
        for _ in range(3):
            with pytest.raises(SessionExpired, match="alphastocks login"):
                await rest.orders()
        assert kite.count("GET /orders") == 1
        tokens.append("second")
        assert await rest.orders() == []

    with http_kite() as kite:
        kite.on("GET /orders", failure(403, "TokenException"), success([]))
        asking(kite, play, session=lambda: session(tokens[-1]))
        assert kite.asked[-1].authorization == "token key:second"


def test_without_a_session_nothing_is_sent() -> None:
    def nobody() -> KiteSession:
        raise SessionMissing("log in")

    with http_kite() as kite:
        with pytest.raises(SessionMissing):
            asking(kite, lambda rest: rest.orders(), session=nobody)
        assert kite.asked == []


def test_more_instruments_than_a_call_takes_are_several_calls() -> None:
    with http_kite() as kite:
        prices = [success({name: {"last_price": 1.0}}) for name in ("NSE:A", "NSE:B", "NSE:C")]
        kite.on("GET /quote/ltp", *prices)
        few = limits(instruments_a_call={"quote": 2, "ohlc": 2, "ltp": 2})
        keys = [f"NSE:{number}" for number in range(5)]
        found = asking(kite, lambda rest: rest.ltp(keys), limits=few)
        assert sorted(found) == ["NSE:A", "NSE:B", "NSE:C"]
        assert [len(asked.fields["i"]) for asked in kite.asked] == [2, 2, 1]


def test_quotes_and_ohlc_are_asked_under_their_own_names() -> None:
    with http_kite() as kite:
        kite.on("GET /quote", success({"NSE:A": {"timestamp": "2021-06-08 15:45:56"}}))
        kite.on("GET /quote/ohlc", success({"NSE:A": {"ohlc": {}}}))
        assert "NSE:A" in asking(kite, lambda rest: rest.quote(["NSE:A"]))
        assert "NSE:A" in asking(kite, lambda rest: rest.ohlc(["NSE:A"]))


def test_history_is_asked_in_spans_of_india_time() -> None:
    from_at = datetime(2026, 1, 1, 3, 45, tzinfo=UTC)
    candle = ["2026-01-01T09:15:00+0530", 1704.5, 1705, 1699.25, 1702.8, 2499, 7]
    with http_kite() as kite:
        kite.on("GET /instruments/historical/5633/minute", success({"candles": [candle]}))
        few = limits(history_days={"minute": 60})
        candles = asking(
            kite,
            lambda rest: rest.historical(
                5633, "minute", from_at, from_at + timedelta(days=60), oi=True
            ),
            limits=few,
        )
        assert [row["date"] for row in candles] == [from_at, from_at]
        assert candles[0]["oi"] == 7
        first, last = (asked.fields for asked in kite.asked)
        assert first["from"] == ["2026-01-01 09:15:00"]
        assert first["to"] == ["2026-03-02 09:14:59"]
        assert last["from"] == last["to"] == ["2026-03-02 09:15:00"]
        assert first["oi"] == ["1"]


def test_an_interval_that_kite_does_not_have_is_refused() -> None:
    with http_kite() as kite, pytest.raises(ValueError, match="2minute"):
        asking(kite, lambda rest: rest.historical(1, "2minute", LOGIN, LOGIN))


LISTED = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,"
    "lot_size,instrument_type,segment,exchange",
    "256265,1001,NIFTY 50,NIFTY 50,0,,0,0,0,EQ,INDICES,NSE",
    '738561,2885,RELIANCE,"RELIANCE INDUSTRIES, LTD",0,,0,0.1,1,EQ,NSE,NSE',
    "3050241,11915,YESBANK,YES BANK,0,,0,0.01,1,EQ,NSE,NSE",
)


def test_instruments_have_exact_tick_sizes(kite_mocks: Path) -> None:
    csv = Answer((kite_mocks / "instruments_nse.csv").read_bytes(), content_type="text/csv")
    with http_kite() as kite:
        kite.on("GET /instruments/NSE", csv)
        kite.on("GET /instruments", Answer(b"a,b\n1,2\n", content_type="text/csv"))
        listed = asking(kite, lambda rest: rest.instruments("NSE"))
        assert len(listed.instruments) == 99
        assert listed.left_out == ()
        assert all(isinstance(one.tick_size, Decimal) for one in listed.instruments)
        with pytest.raises(DumpRefused, match="line 1: column instrument_token is missing") as told:
            asking(kite, lambda rest: rest.instruments())
        assert not told.value.is_retriable


def test_a_row_of_the_dump_that_cannot_be_read_is_left_out_and_named() -> None:
    rows = (*LISTED[:3], "2911745,11374,,,0,,0,0.01,1,EQ,NSE,NSE", *LISTED[3:])
    csv = Answer("\r\n".join(rows).encode(), content_type="text/csv")
    with http_kite() as kite:
        kite.on("GET /instruments/NSE", csv)
        dump = asking(kite, lambda rest: rest.instruments("NSE"))
    assert [one.tradingsymbol for one in dump.instruments] == ["NIFTY 50", "RELIANCE", "YESBANK"]
    assert dump.left_out == ("line 4, column tradingsymbol: cannot read ''",)


def test_an_order_is_placed_modified_and_cancelled_with_kites_fields() -> None:
    async def play(rest: KiteRest) -> None:
        placed = await rest.place_order(**order_fields(request()))
        assert placed == Placed("151220000000000")
        await rest.modify_order(variety="regular", order_id="1", price="110.05")
        await rest.cancel_order("1")

    with http_kite() as kite:
        kite.on("POST /orders/regular", success({"order_id": "151220000000000"}))
        kite.on("PUT /orders/regular/1", success({"order_id": "1"}))
        kite.on("DELETE /orders/regular/1", success({"order_id": "1"}))
        asking(kite, play)
        placed = kite.asked[0].fields
        assert placed["price"] == ["109.40"]
        assert placed["tag"] == ["tag1"]
        assert placed["validity"] == ["DAY"]
        assert "market_protection" not in placed


REFUSED = {"error": {"code": 400, "error_type": "MarginException", "message": "no funds"}}


def test_of_an_order_in_slices_each_one_has_an_id_or_a_reason() -> None:
    sliced = {"order_id": "9", "children": [{"order_id": "1"}, REFUSED, {"order_id": "2"}]}
    with http_kite() as kite:
        kite.on("POST /orders/regular", success(sliced))
        placed = asking(kite, lambda rest: rest.place_order(**order_fields(request())))
        assert placed == Placed("9", ("1", "2"), ("no funds",))


def test_an_order_whose_slices_are_all_refused_is_refused() -> None:
    with http_kite() as kite:
        kite.on("POST /orders/regular", success({"order_id": "9", "children": [REFUSED, REFUSED]}))
        with pytest.raises(RequestRefused, match="no funds") as caught:
            asking(kite, lambda rest: rest.place_order(**order_fields(request())))
        assert caught.value.error_type == "MarginException"


@pytest.mark.parametrize("content", [None, {}, {"order_id": None}, {"order_id": ""}, []])
def test_a_placing_without_an_order_id_cannot_be_read(content: object) -> None:
    with http_kite() as kite:
        kite.on("POST /orders/regular", success(content))
        with pytest.raises(ReplyUnreadable):
            asking(kite, lambda rest: rest.place_order(**order_fields(request())))


def test_books_are_as_kite_gives_them() -> None:
    async def play(rest: KiteRest) -> None:
        assert (await rest.orders())[0]["order_id"] == "1"
        assert (await rest.trades())[0]["average_price"] == 109.4
        assert (await rest.order_trades("1"))[0]["trade_id"] == "11"
        assert (await rest.order_history("1"))[0]["status"] == "OPEN"
        assert await rest.positions() == {"net": [], "day": []}
        assert await rest.margins() == {"equity": {}}

    with http_kite() as kite:
        kite.on("GET /orders", success([order()]))
        kite.on("GET /orders/1", success([order()]))
        kite.on("GET /trades", success([trade()]))
        kite.on("GET /orders/1/trades", success([trade()]))
        kite.on("GET /portfolio/positions", success({"net": [], "day": []}))
        kite.on("GET /user/margins", success({"equity": {}}))
        asking(kite, play)


def test_orders_do_not_wait_behind_reads() -> None:
    released = threading.Event()

    async def play(rest: KiteRest) -> None:
        reads = asyncio.gather(*(rest.profile() for _ in range(2 * READING_THREADS)))
        while kite.count("GET /user/profile") < READING_THREADS:  # noqa: ASYNC110  all of them wait
            await asyncio.sleep(0.005)
        await rest.cancel_order("1")
        released.set()
        await reads

    with http_kite() as kite:
        kite.on("GET /user/profile", Answer(success({}).body, after=released))
        kite.on("DELETE /orders/regular/1", success({"order_id": "1"}))
        asking(kite, play)


def test_after_too_many_requests_the_lane_rests() -> None:
    async def play(rest: KiteRest) -> None:
        with pytest.raises(RateLimited) as caught:
            await rest.orders()
        assert caught.value.retry_after_ms == 150
        await rest.orders()

    with http_kite() as kite:
        kite.on("GET /orders", failure(429, "NetworkException"), success([]))
        asking(kite, play, limits=limits(cool_down_ms=150))
        assert kite.asked[1].at - kite.asked[0].at >= 0.15


def test_a_login_gives_a_session() -> None:
    granted = {
        "user_id": "XX0000",
        "api_key": "key",
        "access_token": TOKEN,
        "login_time": "2026-06-17 08:30:00",
    }
    with http_kite() as kite:
        kite.on("POST /session/token", success(granted))
        opened = asyncio.run(open_session(kite.address, "request", "secret"))
        assert opened == KiteSession("XX0000", "key", TOKEN, LOGIN)
        assert kite.asked[0].fields["request_token"] == ["request"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (failure(403, "TokenException", "Token is invalid or has expired."), LoginRefused),
        (failure(400, "InputException"), LoginRefused),
        (success({"access_token": TOKEN}), ReplyUnreadable),
        (Answer(f'{{"access_token": "{TOKEN}"'.encode()), ReplyUnreadable),
        (Answer(f"<b>{TOKEN}</b>".encode(), content_type="text/html"), ReplyUnreadable),
    ],
)
def test_a_login_that_fails_shows_no_token(answer: Answer, expected: type[BrokerError]) -> None:
    with http_kite() as kite:
        kite.on("POST /session/token", answer)
        with pytest.raises(expected) as caught:
            asyncio.run(open_session(kite.address, "request", "secret"))
        assert TOKEN not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            "Invalid `checksum`.",
            "the API secret is wrong: ALPHASTOCKS_KITE__API_SECRET is not that of the app key",
        ),
        ("Invalid `api_key`.", "the API key is wrong: Kite has no app key"),
        ("Token is invalid or has expired.", "the request token was used before or is too old"),
        ("User is blocked.", "Kite does not accept the login"),
    ],
)
def test_a_login_that_is_refused_says_which_part_is_wrong(said: str, line: str) -> None:
    with http_kite() as kite:
        kite.on("POST /session/token", failure(403, "TokenException", said))
        with pytest.raises(LoginRefused) as caught:
            asyncio.run(open_session(kite.address, "request", "secret"))
    assert str(caught.value).startswith(line)
    assert str(caught.value).endswith(f"(Kite says: {said})")


def test_a_login_without_a_network_names_the_address() -> None:
    away = KiteAddress("key", root="http://127.0.0.1:1", timeout_seconds=1)
    with pytest.raises(BrokerUnavailable, match=r"check the network, or kite\.root: http://127"):
        asyncio.run(open_session(away, "request", "secret"))


def test_the_token_is_in_no_log_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with http_kite() as kite:
        kite.on("GET /user/profile", success({}))
        asking(kite, lambda rest: rest.profile())
        kite.on("GET /user/profile", CUT)
        with pytest.raises(BrokerUnavailable) as caught:
            asking(kite, lambda rest: rest.profile())
    assert caplog.records
    assert TOKEN not in caplog.text + repr(caught.value)


def test_each_request_is_told_with_its_class_and_what_became_of_it() -> None:
    told: list[tuple[str, str]] = []

    async def play(kite: HttpKite) -> None:
        rest = KiteRest(kite.address, session, FAST, lambda *what: told.append(what[:2]))
        try:
            await rest.profile()
            with pytest.raises(RequestRefused):
                await rest.place_order(**order_fields(request()))
        finally:
            await rest.close()

    with http_kite() as kite:
        kite.on("GET /user/profile", success({"user_id": "AB1234"}))
        kite.on("POST /orders/regular", failure(400, "InputException"))
        asyncio.run(play(kite))
    assert told == [("other", "ok"), ("orders", "RequestRefused")]
