"""The ports over Kite's requests: market data, account, login, and the guarded venue."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from libs.broker.errors import (
    AccountRefused,
    OrderNotSent,
    OrderRefused,
    ReplyUnreadable,
    SessionMissing,
)
from libs.broker.kite.account import KiteAccount
from libs.broker.kite.login import KiteSessions
from libs.broker.kite.market import KiteMarketData
from libs.broker.kite.orders import KiteOrderClient
from libs.broker.kite.rest import KiteRest
from libs.broker.kite.settings import KiteSettings
from libs.broker.kite.ticker import Ticker
from libs.broker.kite.venue import SimulatorVenue
from libs.broker.port import HistoricalCandle, LastQuote, Margin, NetPosition
from libs.market.calendar import IST
from tests.unit.libs.broker.kite.rows import order, request, trade
from tests.unit.libs.broker.kite.servers import (
    FAST,
    HttpKite,
    failure,
    http_kite,
    session,
    success,
)

NOON = datetime(2021, 6, 9, 12, tzinfo=IST)
HISTORY = "GET /instruments/historical/5633/15minute"
POSITION = {"exchange": "NFO", "tradingsymbol": "X", "product": "NRML", "quantity": -75}


def asked_of(answers: dict[str, Any], ask: Callable[[KiteRest], Awaitable[Any]]) -> Any:
    """Return what is made of Kite's answers, each the data of a request."""

    async def run(kite: HttpKite) -> Any:
        rest = KiteRest(kite.address, session, FAST)
        try:
            return await ask(rest)
        finally:
            await rest.close()

    with http_kite() as kite:
        for request_line, content in answers.items():
            kite.on(request_line, success(content))
        return asyncio.run(run(kite))


def test_candles_are_asked_for_in_kites_words_and_come_as_ours() -> None:
    row = ["2021-06-09T12:00:00+0530", 100.5, 101, 99.95, 100, 1200, 30]
    (candle,) = asked_of(
        {HISTORY: {"candles": [row]}},
        lambda rest: KiteMarketData(rest).candles(5633, "15m", NOON, NOON),
    )
    assert candle == HistoricalCandle(NOON, 100.5, 101.0, 99.95, 100.0, volume=1200, oi=30)


@pytest.mark.parametrize(
    ("stamp", "at_ms"), [("2021-06-09 12:00:00", int(NOON.timestamp() * 1000)), (None, None)]
)
def test_a_quote_has_the_exchanges_time_where_it_says_one(
    stamp: str | None, at_ms: int | None
) -> None:
    row = {"instrument_token": 256265, "last_price": 15700.5, "timestamp": stamp}
    quotes = asked_of(
        {"GET /quote": {"NSE:NIFTY 50": row}},
        lambda rest: KiteMarketData(rest).quotes(["NSE:NIFTY 50"]),
    )
    assert quotes == {"NSE:NIFTY 50": LastQuote(256265, 15700.5, at_ms)}


def test_a_quote_without_a_price_cannot_be_read() -> None:
    with pytest.raises(ReplyUnreadable, match="last_price"):
        asked_of(
            {"GET /quote": {"NSE:INFY": {"instrument_token": 1}}},
            lambda rest: KiteMarketData(rest).quotes(["NSE:INFY"]),
        )


def test_the_account_holds_trades_net_positions_and_funds() -> None:
    row = {**trade(), "tradingsymbol": "X", "transaction_type": "BUY"}
    (made,) = asked_of({"GET /trades": [row]}, lambda rest: KiteAccount(rest).trades())
    assert (made.broker_order_id, made.tradingsymbol) == ("1", "X")
    assert (made.transaction_type, made.fill.price) == ("BUY", Decimal("109.4"))
    books = {"GET /portfolio/positions": {"net": [POSITION], "day": []}}
    assert asked_of(books, lambda rest: KiteAccount(rest).positions()) == [
        NetPosition("NFO", "X", "NRML", -75)
    ]
    funds = {"equity": {"net": 99725.05, "utilised": {"debits": 145706.55}}}
    assert asked_of({"GET /user/margins": funds}, lambda rest: KiteAccount(rest).margins()) == {
        "equity": Margin(Decimal("99725.05"), Decimal("145706.55"))
    }
    profile = {"GET /user/profile": {"broker": "ZERODHA"}}
    assert asked_of(profile, lambda rest: KiteAccount(rest).broker()) == "ZERODHA"


@pytest.mark.parametrize(
    ("line", "content", "ask"),
    [
        ("GET /trades", {}, lambda rest: KiteAccount(rest).trades()),
        ("GET /portfolio/positions", {}, lambda rest: KiteAccount(rest).positions()),
        ("GET /user/margins", [], lambda rest: KiteAccount(rest).margins()),
    ],
)
def test_a_book_that_lacks_something_cannot_be_read(
    line: str, content: Any, ask: Callable[[KiteRest], Awaitable[Any]]
) -> None:
    with pytest.raises(ReplyUnreadable):
        asked_of({line: content}, ask)


TRADE = {**trade(), "exchange": "NFO", "tradingsymbol": "X", "transaction_type": "BUY"}
FUNDS = {"net": 1.5, "utilised": {"debits": 2.5}}


@pytest.mark.parametrize(
    ("line", "content", "ask", "named"),
    [
        ("GET /trades", [trade("12"), TRADE], lambda one: one.trades(), ("trade", "")),
        ("GET /trades", [TRADE, None], lambda one: one.trades(), ("trade", "")),
        (
            "GET /trades",
            [TRADE, {**TRADE, "quantity": None}],
            lambda one: one.trades(),
            ("trade", "X"),
        ),
        (
            "GET /portfolio/positions",
            {"net": [POSITION, {**POSITION, "quantity": None}]},
            lambda one: one.positions(),
            ("position", "X"),
        ),
        (
            "GET /user/margins",
            {"equity": FUNDS, "commodity": {"net": None}},
            lambda one: one.margins(),
            ("margin", ""),
        ),
    ],
)
def test_a_row_that_cannot_be_read_is_left_out_and_named(
    line: str,
    content: Any,
    ask: Callable[[KiteAccount], Awaitable[Any]],
    named: tuple[str, str],
) -> None:
    async def read(rest: KiteRest) -> Any:
        account = KiteAccount(rest)
        found = await ask(account)
        await ask(account)
        return found, account.unreadable()

    found, unreadable = asked_of({line: content}, read)
    assert len(found) == 1
    assert [(one.what, one.tradingsymbol) for one in unreadable] == [named]


def test_a_trade_names_its_exchange_and_product() -> None:
    (made,) = asked_of(
        {"GET /trades": [{**TRADE, "product": "MIS"}]}, lambda rest: KiteAccount(rest).trades()
    )
    assert (made.exchange, made.product) == ("NFO", "MIS")


CONTRACT = {"exchange": "NFO", "tradingsymbol": "X", "product": "NRML"}


def contract_of(positions: list[Any], orders: list[Any]) -> Any:
    """Return what the account has of contract X, by these rows."""
    books = {"GET /portfolio/positions": {"net": positions}, "GET /orders": orders}
    return asked_of(books, lambda rest: KiteAccount(rest).contract("NFO", "X"))


def test_of_a_contract_its_position_and_its_open_orders_are_read_and_nothing_else() -> None:
    sale = {"transaction_type": "SELL", **CONTRACT}
    stop = order("2", "TRIGGER PENDING", order_type="SL", **sale)
    other = order("4", **{**sale, "tradingsymbol": "Y"})
    rows = [order("1", filled=25, **sale), stop, order("3", "COMPLETE", 75, **sale), other]
    state = contract_of([POSITION, {**POSITION, "tradingsymbol": "Y"}], rows)
    assert (state.net("NRML"), len(state.positions)) == (-75, 1)
    first, second = state.working
    assert (first.broker_order_id, first.working_quantity, first.awaits_trigger) == ("1", 50, False)
    assert (second.broker_order_id, second.working_quantity, second.awaits_trigger) == (
        "2",
        75,
        True,
    )
    assert {one.transaction_type for one in state.working} == {"SELL"}


@pytest.mark.parametrize(
    ("positions", "orders"),
    [
        ([POSITION, None], []),
        ([POSITION, {}], []),
        ([POSITION, {**POSITION, "tradingsymbol": "Y", "quantity": None}], []),
        ([POSITION], [None, {}, "garbage", order(status=None, **CONTRACT)]),
        ([POSITION], [order(filled_quantity="x", **CONTRACT)]),
    ],
)
def test_a_row_of_somebody_else_that_cannot_be_read_blocks_no_sale(
    positions: list[Any], orders: list[Any]
) -> None:
    state = contract_of(positions, orders)
    assert (state.net("NRML"), state.working) == (-75, ())


@pytest.mark.parametrize("positions", [[{**POSITION, "quantity": None}], [{}], [None]])
def test_a_contract_whose_own_position_cannot_be_read_is_not_taken_for_sold(
    positions: list[Any],
) -> None:
    with pytest.raises(ReplyUnreadable, match="what is held of X"):
        contract_of(positions, [])


def guarded(profile: Any, play: Callable[[SimulatorVenue, HttpKite], Awaitable[None]]) -> None:
    """Play with a guarded venue at an account of this profile."""

    async def run(kite: HttpKite) -> None:
        rest = KiteRest(kite.address, session, FAST)
        ticker = Ticker(kite.address, session)
        client = KiteOrderClient(rest, ticker, now_ms=lambda: 0)
        venue = SimulatorVenue(rest, ticker, client)
        try:
            await play(venue, kite)
        finally:
            await venue.close()

    with http_kite() as kite:
        kite.on("GET /user/profile", *profile)
        kite.on("POST /orders/regular", success({"order_id": "1"}))
        kite.on("GET /orders", success([]))
        kite.on("GET /trades", success([]))
        asyncio.run(run(kite))


def test_no_order_reaches_an_account_that_is_no_simulators() -> None:
    async def play(venue: SimulatorVenue, kite: HttpKite) -> None:
        with pytest.raises(AccountRefused, match="simulator only, and this account is at ZERODHA"):
            await venue.orders()
        with pytest.raises(OrderRefused, match="ZERODHA"):
            await venue.place(request())
        with pytest.raises(OrderRefused, match="ZERODHA"):
            await venue.modify("1", 75, Decimal(100))
        with pytest.raises(AccountRefused):
            await venue.cancel("1")
        assert {one.path for one in kite.asked} == {"/user/profile"}

    guarded([success({"broker": "ZERODHA"})], play)


def test_an_account_that_does_not_say_who_it_is_gets_no_order_and_is_asked_again() -> None:
    async def play(venue: SimulatorVenue, kite: HttpKite) -> None:
        with pytest.raises(OrderNotSent, match="503"):
            await venue.place(request())
        assert await venue.place(request()) == "1"
        await venue.orders()
        assert kite.count("GET /user/profile") == 2

    guarded([failure(503, "NetworkException"), success({"broker": "SIMULATOR"})], play)


def test_a_login_leaves_its_session_for_everybody(tmp_path: Path) -> None:
    opened = {
        "user_id": "AB1234",
        "api_key": "key",
        "access_token": "token",
        "login_time": "2021-06-09 08:00:00",
    }
    with http_kite() as kite:
        kite.on("POST /session/token", success(opened))
        settings = KiteSettings(
            api_key="key",
            api_secret=SecretStr("secret"),
            root=kite.address.root,
            session_file=tmp_path / "session.json",
        )
        sessions, now_ms = KiteSessions(settings), int(NOON.timestamp() * 1000)
        with pytest.raises(SessionMissing):
            sessions.current(now_ms)
        asyncio.run(sessions.log_in("request"))
        assert KiteSessions(settings).current(now_ms).user_id == "AB1234"
        assert sessions.login_url().endswith("?api_key=key&v=3")
