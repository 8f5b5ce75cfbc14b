"""The replies have the keys and the kinds of values of Kite's own examples."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from libs.market.rulebook import load_rulebook
from services.simulator.domain.account import Account
from services.simulator.domain.account.order_replies import order_update
from tests.unit.services.simulator.account.market_stand_in import (
    DAY,
    STOCK,
    Floor,
    MarketStandIn,
    order,
)


@pytest.fixture(scope="session")
def examples(recorded_ticks: Path) -> Path:
    folder = recorded_ticks.parent / "kite_mocks"
    if not folder.is_dir():
        pytest.skip(f"no examples at {folder}")
    return folder


@pytest.fixture
def floor() -> Floor:
    """An account with orders of all kinds, a position and a fill."""
    floor = Floor(api_secret="secret", app_id=7)
    floor.place(tag="mine")
    floor.place(price="99", validity="TTL", validity_ttl=5)
    floor.place(price="99.01")
    floor.place(order_type="MARKET", market_protection=-1, price=None)
    floor.place(exchange="NSE", tradingsymbol="RELIANCE", product="CNC", price="1510", quantity=1)
    floor.market.show(floor.now_ms + 1000, 1499.9, 1500.1, token=STOCK)
    floor.go()
    return floor


def kinds(shown: Any) -> Any:
    """Return the JSON kinds by key; of rows the union."""
    if isinstance(shown, dict):
        return {key: kinds(value) for key, value in shown.items()}
    if isinstance(shown, list):
        return [_united([kinds(one) for one in shown])]
    if shown is None:
        return {"null"}
    return {"bool" if isinstance(shown, bool) else "text" if isinstance(shown, str) else "number"}


def _united(all_kinds: list[Any]) -> Any:
    if not all_kinds or not all(isinstance(one, dict) for one in all_kinds):
        return all_kinds
    keys = {key for one in all_kinds for key in one}
    return {key: _joined([one[key] for one in all_kinds if key in one]) for key in keys}


def _joined(values: list[Any]) -> Any:
    if all(isinstance(value, set) for value in values):
        return set().union(*values)
    return values[0] if all(isinstance(value, list) for value in values) else _united(values)


def assert_like(reply: Any, example: Any, where: str = "") -> None:
    """Say that a reply has all keys of the example, each with a kind the example shows.

    Where the example shows null alone it does not say which kind there would be.
    """
    if isinstance(example, dict):
        # `meta` holds whatever the variety adds
        shown = {} if where.endswith(".meta") else example
        assert set(shown) <= set(reply), where
        for key in shown:
            assert_like(reply[key], example[key], f"{where}.{key}")
    elif isinstance(example, list):
        for one in reply:
            assert_like(one, example[0], where) if isinstance(one, dict) else None
    elif example != {"null"}:
        assert reply <= example | {"null"}, where


@pytest.mark.parametrize(
    ("file", "ask"),
    [
        ("orders", lambda account, order_id: account.orders()),
        ("order_info", lambda account, order_id: account.order_history(order_id)),
        ("order_trades", lambda account, order_id: account.order_trades(order_id)),
        ("trades", lambda account, order_id: account.trades()),
        ("positions", lambda account, order_id: account.positions()),
        ("margins", lambda account, order_id: account.margins()),
        ("margins_equity", lambda account, order_id: account.margins("equity")),
        ("order_margins", lambda account, order_id: account.order_margins([order()])),
        ("basket_margins", lambda account, order_id: account.basket_margins([order()], True)),
        ("virtual_contract_note", lambda account, order_id: account.contract_note([order()])),
    ],
)
def test_a_reply_looks_like_kites(floor: Floor, examples: Path, file: str, ask: Any) -> None:
    example = json.loads((examples / f"{file}.json").read_text())["data"]
    reply = ask(floor.account, floor.account.orders()[0]["order_id"])
    assert reply
    assert_like(kinds(json.loads(json.dumps(reply))), kinds(example), file)


def test_an_update_looks_like_kites_postback(floor: Floor, examples: Path) -> None:
    example = json.loads((examples / "postback.json").read_text())
    for update in floor.account.take_updates():
        assert_like(kinds(update), kinds(example), "postback")


def test_an_update_is_signed_with_the_apps_secret(floor: Floor) -> None:
    row = floor.account.orders()[0]
    update = order_update(row, "AB1234", floor.rules)
    signed = f"{row['order_id']}{row['order_timestamp']}secret".encode()
    assert update["checksum"] == hashlib.sha256(signed).hexdigest()
    assert (update["app_id"], update["unfilled_quantity"]) == (7, 0)


def test_times_are_indias_wall_clock(floor: Floor) -> None:
    row, fill = floor.account.orders()[0], floor.account.trades()[0]
    assert row["order_timestamp"] == f"{DAY} 10:00:00"
    assert row["exchange_timestamp"] == fill["fill_timestamp"] == f"{DAY} 10:00:01"
    assert fill["order_timestamp"] == "10:00:01"


def test_a_holding_looks_like_kites(floor: Floor, examples: Path) -> None:
    example = json.loads((examples / "holdings.json").read_text())["data"]
    held = floor.account.dump() | {"trading_day": "2026-06-09"}
    account = Account.load(held, floor.market, load_rulebook(), floor.rules)
    assert account.holdings()[0]["tradingsymbol"] == "RELIANCE"
    assert_like(kinds(account.holdings()), kinds(example), "holdings")


def test_a_holding_that_is_no_longer_listed_has_no_price(floor: Floor) -> None:
    held = floor.account.dump() | {"trading_day": "2026-06-09"}
    market = MarketStandIn(instruments=())
    account = Account.load(held, market, load_rulebook(), floor.rules)
    holding = account.holdings()[0]
    assert (holding["last_price"], holding["instrument_token"]) == (0, 0)
    assert account.positions()["net"] == []
