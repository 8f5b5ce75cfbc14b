"""The simulated exchange's replies have the keys and types of Kite's own examples."""

import asyncio
import csv
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from libs.market.rulebook import load_rulebook
from services.simulator.domain.account import Account, AccountRules
from tests.conftest import RECORDED_DATA
from tests.integration.simulators import Client, exchange_at, order, settings_of, update

NOT_OFFERED = "the simulated exchange does not offer it"
NO_ROUTE = "the official client has no route for it"
LEFT_OUT = {
    "alerts_create": NOT_OFFERED,
    "alerts_create_ato": NOT_OFFERED,
    "alerts_delete": NOT_OFFERED,
    "alerts_get": NOT_OFFERED,
    "alerts_get_one": NOT_OFFERED,
    "alerts_history": NOT_OFFERED,
    "alerts_modify": NOT_OFFERED,
    "auctions_list": NOT_OFFERED,
    "full_profile": NO_ROUTE,
    "gtt_delete_order": NOT_OFFERED,
    "gtt_get_order": NOT_OFFERED,
    "gtt_get_orders": NOT_OFFERED,
    "gtt_modify_order": NOT_OFFERED,
    "gtt_place_order": NOT_OFFERED,
    "holdings_auth": NO_ROUTE,
    "holdings_compact": NO_ROUTE,
    "holdings_summary": NO_ROUTE,
    "mf_holdings": NOT_OFFERED,
    "mf_order_cancel": NOT_OFFERED,
    "mf_order_response": NOT_OFFERED,
    "mf_orders": NOT_OFFERED,
    "mf_orders_info": NOT_OFFERED,
    "mf_sip_cancel": NOT_OFFERED,
    "mf_sip_info": NOT_OFFERED,
    "mf_sip_modify": NOT_OFFERED,
    "mf_sip_place": NOT_OFFERED,
    "mf_sips": NOT_OFFERED,
}
DUMPS = {"instruments_all.csv", "instruments_nse.csv"}
NEW_SINCE = {
    # fields that Kite's documentation has by now and older examples lack
    "order_info": {
        "account_id", "auction_number", "exchange_update_timestamp", "guid", "market_protection",
        "meta", "status_message_raw", "tags", "terminal_id", "validity_ttl",
    },
    "orders": {"account_id", "auction_number", "tags", "terminal_id", "validity_ttl"},
    "postback": {
        "account_id", "auction_number", "modified", "tags", "terminal_id", "validity_ttl",
    },
}  # fmt: skip


@pytest.fixture(scope="session")
def kite_mocks() -> Path:
    named = os.environ.get(RECORDED_DATA)
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = (Path(named) if named else beside) / "kite_mocks"
    if not folder.is_dir():
        pytest.skip(f"no examples of Kite's replies at {folder}; name them with {RECORDED_DATA}")
    return folder


@pytest.fixture(scope="session")
def replies(kite_mocks: Path) -> dict[str, Any]:
    """The live replies by the names of the examples' files."""
    return asyncio.run(_ask_everything())


async def _ask_everything() -> dict[str, Any]:
    async with exchange_at(settings_of()) as client:
        api_key, request_token = client.server.log_in()
        client.api_key = api_key
        form = client.exchange_form(request_token)
        session = (await client.http.post("/session/token", data=form)).json()
        client.access_token = session["data"]["access_token"]
        client.http.headers["Authorization"] = f"token {api_key}:{client.access_token}"
        await client.seconds(3)
        return {"generate_session": session} | await _ask_while_logged_in(client)


async def _ask_while_logged_in(client: Client) -> dict[str, Any]:
    async with client.socket() as socket:
        told = await _trade(client)
        told["postback"] = (await update(socket))["data"]
    for name, path in _reads(client, told["order_response"]["data"]["order_id"]).items():
        told[name] = (await client.http.get(path)).json()
    told |= await _ask_for_margins(client)
    form = {
        "exchange": "NSE", "tradingsymbol": "INFY", "transaction_type": "BUY", "quantity": 1,
        "position_type": "day", "old_product": "MIS", "new_product": "CNC",
    }  # fmt: skip
    told["convert_position"] = (await client.http.put("/portfolio/positions", data=form)).json()
    _hold_shares(client)
    told["holdings"] = (await client.http.get("/portfolio/holdings")).json()
    keys = {"api_key": client.api_key, "access_token": client.access_token}
    told["session_logout"] = (await client.http.delete("/session/token", params=keys)).json()
    return told


async def _trade(client: Client) -> dict[str, Any]:
    placed = (await client.buy()).json()
    option = next(one for one in client.server.exchange.instruments if one.is_option)
    quantity = option.lot_size * 200
    sliced = await client.buy(
        exchange=option.exchange, tradingsymbol=option.tradingsymbol, quantity=quantity,
        product="NRML", autoslice="true", order_type="LIMIT", price=0.05,
    )  # fmt: skip
    last = (await client.http.get("/quote/ltp?i=NSE:INFY")).json()["data"]["NSE:INFY"]["last_price"]
    resting = (await client.buy(order_type="LIMIT", price=round(last * 0.95))).json()
    await client.seconds(3)
    path = f"/orders/regular/{resting['data']['order_id']}"
    return {
        "order_response": placed,
        "autoslice_response": sliced.json(),
        **await _modify_and_cancel(client, path),
    }


async def _modify_and_cancel(client: Client, path: str) -> dict[str, Any]:
    modified = (await client.http.put(path, data={"quantity": 2})).json()
    await client.seconds(2)
    return {"order_modify": modified, "order_cancel": (await client.http.delete(path)).json()}


def _reads(client: Client, order_id: str) -> dict[str, str]:
    history = f"/instruments/historical/{client.token('INFY')}/minute"
    span = "from=2026-06-16+09:15:00&to=2026-06-16+09:30:00"
    return {
        "profile": "/user/profile",
        "margins": "/user/margins",
        "margins_equity": "/user/margins/equity",
        "margin_commodity": "/user/margins/commodity",
        "orders": "/orders",
        "order_info": f"/orders/{order_id}",
        "order_trades": f"/orders/{order_id}/trades",
        "trades": "/trades",
        "positions": "/portfolio/positions",
        "quote": "/quote?i=NSE:INFY",
        "ohlc": "/quote/ohlc?i=NSE:INFY",
        "ltp": "/quote/ltp?i=NSE:INFY",
        "trigger_range": "/instruments/trigger_range/buy?i=NSE:INFY",
        "historical_minute": f"{history}?{span}",
        "historical_oi": f"{history}?{span}&oi=1",
    }


async def _ask_for_margins(client: Client) -> dict[str, Any]:
    asked = [order(variety="regular", price=0, average_price=100, order_id="1")]
    paths = {
        "order_margins": "/margins/orders",
        "basket_margins": "/margins/basket?consider_positions=true",
        "virtual_contract_note": "/charges/orders",
    }
    return {name: (await client.http.post(path, json=asked)).json() for name, path in paths.items()}


def _hold_shares(client: Client) -> None:
    """Let the account be that of the next morning, on which bought shares are holdings."""
    exchange = client.server.exchange
    state = exchange.account.dump() | {"trading_day": "2026-06-16"}
    exchange.account = Account.load(state, exchange.board, load_rulebook(), AccountRules())


def kind(value: Any) -> str:
    """JSON's name of a type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    names = {dict: "object", list: "array", str: "string", int: "number", float: "number"}
    return names[type(value)]


def differences(example: Any, live: Any, allowed: set[str], path: str = "") -> Iterator[str]:
    """What a live reply lacks of an example, has beside it, or has in another type."""
    if "null" in (kind(example), kind(live)):
        return
    if kind(example) != kind(live):
        yield f"{path}: {kind(live)} instead of {kind(example)}"
    elif isinstance(example, dict):
        yield from _in_objects(example, live, allowed, path)
    elif isinstance(example, list):
        yield from _in_lists(example, live, allowed, path)


def _in_objects(
    example: Mapping[str, Any], live: Mapping[str, Any], allowed: set[str], path: str
) -> Iterator[str]:
    if all(":" in key for key in example):
        example, live = _one_instrument(example), _one_instrument(live)
    for key in sorted(example.keys() - live.keys()):
        yield f"{path}.{key}: missing"
    for key in sorted(live.keys() - example.keys() - allowed):
        yield f"{path}.{key}: not in the example"
    for key in sorted(example.keys() & live.keys()):
        yield from differences(example[key], live[key], allowed, f"{path}.{key}")


def _one_instrument(quotes: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"*": next(iter(quotes.values()))} if quotes else {}


def _in_lists(example: list[Any], live: list[Any], allowed: set[str], path: str) -> Iterator[str]:
    if example and not live:
        yield f"{path}: nothing in it"
    is_candle = path.endswith("]")
    if is_candle and len(example) != len(live):
        yield f"{path}: {len(live)} columns instead of {len(example)}"
    wanted = example if is_candle else example[:1] * len(live)
    for number, (one, other) in enumerate(zip(wanted, live, strict=False)):
        yield from differences(one, other, allowed, f"{path}[{number}]")


def test_every_example_is_compared_or_left_out_for_a_reason(
    kite_mocks: Path, replies: Mapping[str, Any]
) -> None:
    names = {path.stem for path in kite_mocks.glob("*.json")}
    assert names == set(replies) | set(LEFT_OUT)
    assert not set(replies) & set(LEFT_OUT)


def test_live_replies_look_like_kites_examples(
    kite_mocks: Path, replies: Mapping[str, Any]
) -> None:
    found = [
        f"{name}{difference}"
        for name, live in sorted(replies.items())
        for difference in differences(
            json.loads((kite_mocks / f"{name}.json").read_text()), live, NEW_SINCE.get(name, set())
        )
    ]
    assert found == []


def test_the_dump_has_the_columns_of_kites_example(kite_mocks: Path) -> None:
    async def header() -> list[str]:
        async with exchange_at(settings_of()) as client:
            await client.log_in()
            text = (await client.http.get("/instruments")).text
        return next(csv.reader(text.splitlines()))

    live = asyncio.run(header())
    for name in DUMPS:
        with (kite_mocks / name).open() as file:
            assert next(csv.reader(file)) == live
