"""Kite's REST interface of the simulated exchange, seen from the client's side."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.integration.simulators import Client, at_desk, order, settings_of


def test_an_order_is_placed_by_form_fills_and_is_told_everywhere() -> None:
    async def play(client: Client) -> None:
        order_id = (await client.buy()).json()["data"]["order_id"]
        await client.seconds(2)
        (row,) = (await client.http.get("/orders")).json()["data"]
        assert (row["order_id"], row["status"], row["filled_quantity"]) == (
            order_id,
            "COMPLETE",
            1,
        )
        history = (await client.http.get(f"/orders/{order_id}")).json()["data"]
        assert history[0]["status"] == "PUT ORDER REQ RECEIVED"
        trades = (await client.http.get("/trades")).json()["data"]
        assert trades == (await client.http.get(f"/orders/{order_id}/trades")).json()["data"]
        net = (await client.http.get("/portfolio/positions")).json()["data"]["net"]
        assert [(one["tradingsymbol"], one["quantity"]) for one in net] == [("INFY", 1)]

    at_desk(play)


def test_an_order_is_modified_and_cancelled() -> None:
    async def play(client: Client) -> None:
        quote = (await client.http.get("/quote/ltp?i=NSE:INFY")).json()["data"]["NSE:INFY"]
        price = round(quote["last_price"] * 0.95)
        order_id = (await client.buy(order_type="LIMIT", price=price)).json()["data"]["order_id"]
        await client.seconds(2)
        path = f"/orders/regular/{order_id}"
        changed = await client.http.put(path, data={"price": price - 1, "quantity": 2})
        assert changed.json()["data"] == {"order_id": order_id}
        await client.seconds(2)
        (row,) = (await client.http.get("/orders")).json()["data"]
        assert (row["status"], row["price"], row["quantity"]) == ("OPEN", price - 1, 2)
        assert (await client.http.delete(path)).json()["data"] == {"order_id": order_id}
        await client.seconds(2)
        (row,) = (await client.http.get("/orders")).json()["data"]
        assert row["status"] == "CANCELLED"

    at_desk(play)


def test_the_dump_is_csv_for_all_exchanges_or_one() -> None:
    async def play(client: Client) -> None:
        for path, exchanges in (("/instruments", {"NSE", "NFO"}), ("/instruments/NFO", {"NFO"})):
            reply = await client.http.get(path)
            assert reply.headers["content-type"] == "text/csv"
            rows = list(csv.DictReader(io.StringIO(reply.text)))
            assert {row["exchange"] for row in rows} == exchanges
        assert (await client.http.get("/instruments/MCX")).status_code == 404

    at_desk(play)


def test_candles_come_for_a_span_in_indian_time() -> None:
    async def play(client: Client) -> None:
        token = client.token("INFY")
        span = {"from": "2026-06-16 09:15:00", "to": "2026-06-16 09:20:00", "oi": "1"}
        reply = await client.http.get(f"/instruments/historical/{token}/minute", params=span)
        candles = reply.json()["data"]["candles"]
        assert [one[0][11:16] for one in candles] == [f"09:{15 + minute}" for minute in range(6)]
        assert {len(one) for one in candles} == {7}

    at_desk(play)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/instruments/historical/x/minute", {"from": "2026-06-16", "to": "2026-06-17"}),
        ("/instruments/historical/408065/minute", {"from": "yesterday", "to": "2026-06-17"}),
        ("/instruments/historical/408065/minute", {"from": "2026-06-16"}),
        ("/instruments/historical/408065/minute", {"from": "2026-01-01", "to": "2026-06-17"}),
        ("/instruments/historical/408065/hour", {"from": "2026-06-16", "to": "2026-06-17"}),
    ],
)
def test_candles_that_cannot_be_are_refused(path: str, query: dict[str, str]) -> None:
    async def play(client: Client) -> None:
        reply = await client.http.get(path, params=query)
        assert (reply.status_code, reply.json()["error_type"]) == (400, "InputException")

    at_desk(play)


@pytest.mark.parametrize(("name", "most"), [("", 500), ("/ohlc", 1000), ("/ltp", 1000)])
def test_more_instruments_than_a_call_may_name_are_refused(name: str, most: int) -> None:
    async def play(client: Client) -> None:
        for count, status in ((most, 200), (most + 1, 400)):
            params = {"i": [f"NSE:NONE{number}" for number in range(count)]}
            reply = await client.http.get(f"/quote{name}", params=params)
            assert reply.status_code == status
        assert reply.json()["error_type"] == "InputException"

    at_desk(play)


def test_margins_are_asked_for_in_json() -> None:
    async def play(client: Client) -> None:
        asked = [order(variety="regular", price=0)]
        (margin,) = (await client.http.post("/margins/orders", json=asked)).json()["data"]
        assert margin["total"] > 0
        basket = (await client.http.post("/margins/basket?mode=compact", json=asked)).json()["data"]
        assert basket["orders"] == []
        note = await client.http.post("/charges/orders", json=[{**asked[0], "average_price": 100}])
        assert note.status_code == 200
        for body in (b"{", b"{}", b"[1]"):
            headers = {"content-type": "application/json"}
            reply = await client.http.post("/margins/orders", content=body, headers=headers)
            assert reply.status_code == 400

    at_desk(play)


def test_a_trigger_lies_between_the_last_price_and_the_band() -> None:
    async def play(client: Client) -> None:
        last = (await client.http.get("/quote/ltp?i=NSE:INFY")).json()["data"]["NSE:INFY"]
        for side, name in (("buy", "upper"), ("sell", "lower")):
            reply = await client.http.get(f"/instruments/trigger_range/{side}?i=NSE:INFY")
            assert reply.json()["data"]["NSE:INFY"][name] == last["last_price"]

    at_desk(play)


def test_routes_that_are_not_there_are_404_and_wrong_methods_405() -> None:
    async def play(client: Client) -> None:
        for path in ("/mf/orders", "/gtt/triggers", "/alerts", "/portfolio/holdings/auctions"):
            reply = await client.http.get(path)
            assert (reply.status_code, reply.json()["error_type"]) == (404, "GeneralException")
        assert (await client.http.post("/trades")).status_code == 405

    at_desk(play)


QUOTE, HISTORICAL = "/quote/ltp?i=NSE:INFY", "/instruments/historical/408065/minute?from=x&to=x"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", QUOTE, 1),
        ("GET", HISTORICAL, 3),
        ("POST", "/orders/regular", 10),
        ("GET", "/trades", 9),  # the login was the tenth
    ],
)
def test_each_class_of_requests_has_its_limit(method: str, path: str, allowed: int) -> None:
    async def play(client: Client) -> None:
        replies = [await client.http.request(method, path) for _ in range(allowed + 1)]
        statuses = [reply.status_code for reply in replies]
        assert statuses[-1] == 429
        assert 429 not in statuses[:-1]
        reply = await client.http.request(method, path)
        assert reply.json()["error_type"] == "NetworkException"
        assert reply.json()["message"] == "Too many requests"

    at_desk(play, limits=True)


def test_the_state_file_keeps_the_account_over_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "account.json"

    async def trade(client: Client) -> None:
        await client.buy()
        await client.seconds(2)

    async def look(client: Client) -> None:
        (row,) = (await client.http.get("/orders")).json()["data"]
        assert row["status"] == "COMPLETE"

    at_desk(trade, state=file)
    assert json.loads(file.read_text())["user_id"] == "SIM001"
    at_desk(look, state=file)


def test_an_order_that_is_only_registered_is_in_the_state_file(tmp_path: Path) -> None:
    file = tmp_path / "account.json"

    async def play(client: Client) -> None:
        await client.buy()
        assert len(json.loads(file.read_text())["orders"]) == 1

    at_desk(play, state=file)


def test_the_settings_start_the_market_later() -> None:
    async def play(client: Client) -> None:
        state = (await client.http.get("/control/state")).json()["data"]
        assert state["now"] == "2026-06-17 11:30:02"

    at_desk(play, start="11:30")
    assert settings_of(start="11:30").start is not None
