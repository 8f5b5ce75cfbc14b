"""The endpoints, asked as a client asks them."""

import asyncio
import base64
import hashlib
import socket
import threading
from html.parser import HTMLParser
from typing import Any, Literal

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, Field

from libs.runtime.health import Health, Waiting
from libs.runtime.http import HttpServer, make_app
from libs.runtime.metrics import Metrics
from libs.runtime.service import Service
from libs.runtime.settings import SettingsError
from libs.runtime.version import VERSION


def get(app: FastAPI, path: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.get(path)

    return asyncio.run(ask())


def app_of(health: Health | None = None, metrics: Metrics | None = None, **more: Any) -> FastAPI:
    service = Service("candle", **more)
    return make_app(service, health or Health(), metrics or Metrics("candle"))


def test_a_service_that_runs_is_alive_even_when_it_is_not_ready() -> None:
    app = app_of()
    assert get(app, "/health/live").status_code == 200
    assert get(app, "/health/ready").status_code == 503


def test_ready_tells_the_reasons_until_everything_required_is_well() -> None:
    health = Health()
    health.starting("candle")
    health.starting("candle.writer.historical_data", required=False)
    app = app_of(health)
    answer = get(app, "/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready",
        "components": {"candle": "starting", "candle.writer.historical_data": "starting"},
    }
    health.well("candle")
    health.unwell("candle.writer.historical_data", "the database is away")
    answer = get(app, "/health/ready")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert answer.json()["components"]["candle.writer.historical_data"] == "the database is away"


def test_ready_says_what_a_service_waits_for_and_metrics_that_it_waits() -> None:
    waiting = Waiting("a login at the broker")
    health = Health(waiting)
    health.starting("ingest")
    app = app_of(health)
    answer = get(app, "/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "waits_for": "a login at the broker",
        "components": {"ingest": "starting"},
    }
    shown = get(app, "/metrics").text
    assert "alphastocks_service_waiting 1.0" in shown
    assert "component_up{" not in shown
    waiting.reason = ""
    assert get(app, "/health/ready").status_code == 503
    shown = get(app, "/metrics").text
    assert "alphastocks_service_waiting 0.0" in shown
    assert 'component_up{component="ingest",required="true"} 0.0' in shown


def test_metrics_are_in_the_format_that_prometheus_reads() -> None:
    metrics = Metrics("candle")
    metrics.note_handled("TickBatch", 0.01)
    answer = get(app_of(metrics=metrics), "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"alphastocks_events_handled", "alphastocks_service_info"} <= names


def test_info_tells_the_service_its_version_and_what_it_says_of_itself() -> None:
    answer = get(app_of(describe=lambda: {"ticks_accepted": 3}), "/info")
    assert answer.json() == {"service": "candle", "version": VERSION, "ticks_accepted": 3}


def test_a_service_adds_routes_of_its_own() -> None:
    router = APIRouter()
    router.add_api_route("/candles", lambda: ["SBIN"])
    assert get(app_of(router=router), "/candles").json() == ["SBIN"]
    assert get(app_of(), "/candles").status_code == 404


def test_a_server_answers_until_it_is_closed() -> None:
    async def story() -> None:
        with socket.create_server(("127.0.0.1", 0)) as place:
            port = place.getsockname()[1]
        server = HttpServer(app_of(), "127.0.0.1", port)
        task = asyncio.create_task(server.run_until_stopped())
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.get("/health/live")).status_code == 200
        server.close()
        await task
        with socket.create_server(("127.0.0.1", port)):
            """The port is free again."""

    asyncio.run(story())


@pytest.mark.parametrize("port", ["taken", 70_000])
def test_an_address_that_cannot_be_had_is_named(port: int | str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as place:
        number = place.getsockname()[1] if port == "taken" else int(port)
        with pytest.raises(SettingsError, match=rf"runtime\.port: .*127\.0\.0\.1:{number}"):
            HttpServer(app_of(), "127.0.0.1", number)


def test_metrics_tell_which_parts_work_and_the_services_own_state() -> None:
    health, metrics = Health(), Metrics("position")
    health.well("position")
    health.starting("position.writer.positions", required=False)
    app = app_of(health, metrics, measure=lambda: metrics.positions.open.set(2))
    shown = get(app, "/metrics").text
    assert 'alphastocks_component_up{component="position",required="true"} 1.0' in shown
    writer = 'alphastocks_component_up{component="position.writer.positions",required="false"}'
    assert f"{writer} 0.0" in shown
    assert "alphastocks_positions_open 2.0" in shown


@pytest.mark.parametrize("path", ["/metrics", "/info"])
def test_a_services_state_is_read_on_the_loop_that_changes_it(path: str) -> None:
    threads: list[int] = []

    def look() -> dict[str, int]:
        threads.append(threading.get_ident())
        return {}

    assert get(app_of(measure=look, describe=look), path).status_code == 200
    assert threads == [threading.get_ident()]


class Seen(HTMLParser):
    """The elements, addresses and ids of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        given = {key: value or "" for key, value in attrs}
        self.addresses += [given[key] for key in ("href", "src", "action") if key in given]
        self.ids |= {given["id"]} if "id" in given else set()


class Order(BaseModel):
    """An order of the test."""

    price: float | None = Field(None, description="in <rupees>")
    sides: list[Literal["BUY", "SELL"]] = []


def documented() -> FastAPI:
    router = APIRouter()

    @router.post("/orders/{number}", responses={409: {"description": "sent & done"}})
    async def send(number: int, order: Order) -> list[Order]:
        """Send an <order>."""
        return [order] * number

    return app_of(router=router)


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_loads_nothing_runs_nothing_and_links_to_what_is_there(path: str) -> None:
    app = documented()
    answer = get(app, path)
    page = Seen(answer.text)
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src")
    assert "://" not in answer.text
    assert not page.names & {"script", "link", "img", "iframe", "form", "object"}
    assert page.addresses
    for address in page.addresses:
        if address.startswith("#"):
            assert address[1:] in page.ids
        else:
            assert get(app, address).status_code in {200, 503}, address


def test_the_page_of_links_tells_name_version_and_health_and_escapes_all_of_it() -> None:
    health = Health()
    health.well("candle")
    assert "ready" in get(app_of(health), "/").text
    health.unwell("candle", "<script>alert('x')</script> & away")
    text = get(app_of(health, note="a <b>note</b>"), "/").text
    assert "not ready" in text
    assert "&lt;script&gt;alert('x')&lt;/script&gt; &amp; away" in text
    assert "a &lt;b&gt;note&lt;/b&gt;" in text
    assert "<h1>AlphaStocks candle</h1>" in text
    assert VERSION in text


def test_the_docs_describe_every_endpoint_with_its_parameters_body_and_replies() -> None:
    app = documented()
    text = get(app, "/docs").text
    for path, operations in app.openapi()["paths"].items():
        for method in operations:
            assert f"{method.upper()} {path}" in text
    for said in ("Send an &lt;order&gt;.", "sent &amp; done", "in &lt;rupees&gt;", "BUY, SELL"):
        assert said in text
    assert "<td>number</td><td>path</td><td><span>integer</span></td>" in text
    assert '<a href="#Order">Order</a>' in text
    assert "number</span> or <span>null" in text


def test_the_style_is_the_one_that_the_header_allows() -> None:
    answer = get(app_of(), "/")
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in answer.headers["content-security-policy"]
