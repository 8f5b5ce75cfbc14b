"""The official kiteconnect client, unmodified, in a session with the simulated exchange."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from libs.market.calendar import IST, load_calendar
from libs.market.rulebook import load_rulebook
from services.simulator.assembly import make_exchange
from services.simulator.domain.market.defects import NO_DEFECTS
from services.simulator.domain.market.synthetic import SyntheticMarket
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE
from services.simulator.server import SimulatorServer
from services.simulator.settings import SimulatorSettings

DAY = date(2026, 6, 17)
INDEX, STOCK = "NSE:NIFTY 50", "NSE:RELIANCE"
SCRIPT = Path(__file__).with_name("official_session.py")
SETTINGS = SimulatorSettings(port=0, speed=4, redirect_url="http://127.0.0.1/done")
TIMEOUT_SECONDS = 120


@pytest.fixture(scope="module")
def market() -> SyntheticMarket:
    specs = [one for one in DEFAULT_UNIVERSE if one.tradingsymbol in {"NIFTY 50", "RELIANCE"}]
    return SyntheticMarket(7, DAY, load_calendar(), load_rulebook(), specs, NO_DEFECTS)


@pytest.fixture(scope="module")
def option(market: SyntheticMarket) -> str:
    """The call of the nearest expiry that is nearest to the money."""
    opens_ms = load_calendar().sessions("NSE", DAY)[0].open_ms
    spot = market.spots(opens_ms)["NIFTY 50"]
    calls = [one for one in market.contracts if one.name == "NIFTY" and one.instrument_type == "CE"]
    nearest = min(one.expiry for one in calls if one.expiry)
    chain = [one for one in calls if one.expiry == nearest]
    return min(chain, key=lambda one: abs(one.strike - spot)).tradingsymbol


@pytest.fixture(scope="module")
def seen(market: SyntheticMarket, option: str) -> dict[str, Any]:
    """What the client's process saw of its session."""

    async def story() -> dict[str, Any]:
        stopping = asyncio.Event()
        async with SimulatorServer(make_exchange(SETTINGS, market), SETTINGS) as server:
            playing = asyncio.create_task(server.run(stopping))
            secret = SETTINGS.api_secret.get_secret_value()
            doors = (server.url, server.ws_url, SETTINGS.api_key, secret)
            keys = (INDEX, STOCK, f"NFO:{option}")
            client = await asyncio.create_subprocess_exec(
                sys.executable,
                str(SCRIPT),
                *doors,
                *keys,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            async with asyncio.timeout(TIMEOUT_SECONDS):
                said, complaint = await client.communicate()
            stopping.set()
            await playing
        assert client.returncode == 0, complaint.decode()
        told: dict[str, Any] = json.loads(said)
        return told

    return asyncio.run(story())


def test_a_login_gives_a_session_and_its_token_works_once(seen: Mapping[str, Any]) -> None:
    assert seen["session"] == {"user_id": "SIM001", "again": "TokenException 403"}
    assert seen["profile"]["broker"] == "SIMULATOR"
    assert seen["margins"]["cash"] == 1_000_000
    assert seen["after_logout"] == "TokenException 403"


def test_the_dump_lists_what_the_market_has(
    seen: Mapping[str, Any], market: SyntheticMarket
) -> None:
    assert seen["instruments"] == len(market.instruments)
    assert seen["nfo_instruments"] == len(market.contracts)


def test_quotes_answer_for_each_instrument(seen: Mapping[str, Any], option: str) -> None:
    for kind in ("quote", "ohlc", "ltp"):
        assert set(seen[kind]) == {INDEX, STOCK, f"NFO:{option}"}
    depth = seen["quote"][f"NFO:{option}"]["depth"]
    assert len(depth["buy"]) == len(depth["sell"]) == 5
    assert 0 < depth["buy"][0]["price"] < depth["sell"][0]["price"]


def test_history_has_whole_sessions_and_a_span_that_is_too_long_is_refused(
    seen: Mapping[str, Any],
) -> None:
    days = Counter(one["date"][:10] for one in seen["history"]["15minute"])
    assert days["2026-06-15"] == days["2026-06-16"] == 25
    assert seen["history"]["minute"]
    assert seen["history"]["day"]
    assert seen["too_far_back"] == "InputException 400"


def at_ms(stamp: str) -> int:
    """Epoch ms of a naive time, which the client's process gives in India's zone."""
    return round(datetime.fromisoformat(stamp).replace(tzinfo=IST).timestamp() * 1000)


def of(seen: Mapping[str, Any], name: str, mode: str, token: int) -> list[dict[str, Any]]:
    return [one for one in seen[name] if (one["mode"], one["instrument_token"]) == (mode, token)]


def token_of(market: SyntheticMarket, tradingsymbol: str) -> int:
    found = (one for one in market.instruments if one.tradingsymbol == tradingsymbol)
    return next(found).instrument_token


def test_full_ticks_of_an_index_are_what_the_market_meant(
    seen: Mapping[str, Any], market: SyntheticMarket
) -> None:
    path = market.path("NIFTY 50")
    told = of(seen, "ticks", "full", token_of(market, "NIFTY 50"))
    live = [one for one in told if one["exchange_timestamp"] > f"{DAY}" and one["last_price"]]
    assert len(live) >= 5
    for tick in live:
        assert tick["last_price"] == path.price_at(at_ms(tick["exchange_timestamp"]))
        assert tick["ohlc"]["close"] == path.previous_close


def test_full_ticks_of_an_option_are_what_the_market_meant(
    seen: Mapping[str, Any], market: SyntheticMarket, option: str
) -> None:
    token = token_of(market, option)
    opens_ms = load_calendar().sessions("NFO", DAY)[0].open_ms
    told = [
        one
        for one in of(seen, "ticks", "full", token)
        if at_ms(one["exchange_timestamp"]) >= opens_ms
    ]
    assert told
    for tick in told:
        meant = market.quotes([token], at_ms(tick["exchange_timestamp"]))
        best = [tick["depth"][side][0] for side in ("buy", "sell")]
        assert tick["last_price"] == pytest.approx(float(meant.last_price[0]), abs=1e-9)
        assert meant.bid_price is not None
        assert meant.ask_price is not None
        assert [one["price"] for one in best] == pytest.approx(
            [float(meant.bid_price[0]), float(meant.ask_price[0])], abs=1e-9
        )
        assert meant.oi is not None
        assert tick["oi"] == int(meant.oi[0])


def test_a_stock_ticks_in_quote_mode_and_then_in_ltp_mode(
    seen: Mapping[str, Any], market: SyntheticMarket
) -> None:
    token = token_of(market, "RELIANCE")
    quoted = of(seen, "ticks", "quote", token)
    assert quoted
    assert "depth" not in quoted[0]
    prices = set(market.path("RELIANCE").last_price.tolist()) | {
        market.path("RELIANCE").previous_close,
        0.0,
    }
    assert {one["last_price"] for one in quoted} <= prices
    assert of(seen, "ltp_ticks", "ltp", token)


def test_an_order_is_placed_modified_and_cancelled(seen: Mapping[str, Any]) -> None:
    life = seen["orders"]["resting"]
    assert life[0] == "PUT ORDER REQ RECEIVED"
    assert "OPEN" in life
    assert life[-1] == "CANCELLED"


def test_orders_at_the_market_fill_and_an_unprotected_one_is_refused(
    seen: Mapping[str, Any],
) -> None:
    bought, sold = seen["orders"]["bought"], seen["orders"]["sold"]
    assert bought["status"] == sold["status"] == "COMPLETE"
    assert bought["filled_quantity"] == sum(one["quantity"] for one in seen["orders"]["fills"])
    assert seen["orders"]["unprotected"] == "InputException 400"
    assert (bought["tag"], sold["tag"]) == ("bought", "sold")


def test_order_updates_arrive_on_the_socket(seen: Mapping[str, Any]) -> None:
    told = {(one["tag"], one["status"]) for one in seen["updates"]}
    assert {("resting", "OPEN"), ("resting", "CANCELLED")} <= told
    assert {("bought", "COMPLETE"), ("sold", "COMPLETE")} <= told


def test_positions_and_trades_add_up(seen: Mapping[str, Any], option: str) -> None:
    (position,) = (one for one in seen["positions"]["net"] if one["tradingsymbol"] == option)
    bought, sold = seen["orders"]["bought"], seen["orders"]["sold"]
    assert position["quantity"] == 0
    gained = (sold["average_price"] - bought["average_price"]) * bought["filled_quantity"]
    assert position["pnl"] == pytest.approx(gained)
    assert sum(one["quantity"] for one in seen["trades"]) == 2 * bought["filled_quantity"]
