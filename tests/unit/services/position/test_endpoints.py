"""The endpoints under /positions, out of memory."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from libs.events.event import identity
from libs.runtime.access import AccessToken, hash_of
from libs.runtime.http import make_app
from libs.runtime.reading import ReadingSettings
from libs.runtime.service import Parts, Service
from libs.runtime.testing import ServiceHarness
from libs.store.errors import StoreUnavailable
from libs.store.store import Params
from services.position.service import make_service
from services.position.settings import PositionSettings
from tests.unit.fakes import ForgetfulStore
from tests.unit.services.position.builders import DAY, NOW, fill, position_id, ticks

Get = Callable[..., Any]
"""Ask a path with parameters; the status and the reply."""


def make(parts: Parts) -> Service:
    return make_service(PositionSettings(), parts)


def guarded(parts: Parts) -> Service:
    token = AccessToken(name="asha", scope="read", sha256=hash_of("right"))
    return make_service(
        PositionSettings(reading=ReadingSettings(tokens=(token,), per_minute=3)), parts
    )


def ask(story: Callable[[ServiceHarness, Get], Any], **made: Any) -> None:
    async def asked() -> None:
        async with ServiceHarness(made.pop("make", make), **made) as harness:
            runner = harness.runner
            app = make_app(runner.service, runner.health, harness.metrics)
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://position") as client:

                async def get(path: str, token: str = "", **params: Any) -> tuple[int, Any]:
                    headers = {"Authorization": f"Bearer {token}"} if token else {}
                    reply = await client.get(path, params=params or None, headers=headers)
                    return reply.status_code, reply.json()

                await story(harness, get)

    asyncio.run(asked())


def days_trades() -> list[Any]:
    """Three positions that are closed one after the other, and one that stays open."""
    closed = [
        one
        for of, price in enumerate(("150.00", "90.00", "120.50"), 1)
        for one in (
            fill(of=of, at_ms=NOW + of),
            fill("SELL", price=price, of=of, at_ms=NOW + of * 60_000),
        )
    ]
    return [*closed, fill(of=4, at_ms=NOW + 300_000)]


def ids(page: tuple[int, Any]) -> list[str]:
    assert page[0] == 200, page
    return [one["position_id"] for one in page[1]["positions"]]


def names(*numbers: int) -> list[str]:
    return [str(position_id(number)) for number in numbers]


def test_open_positions_are_shown_at_their_latest_prices() -> None:
    async def story(harness: ServiceHarness, get: Get) -> None:
        await harness.publish(*days_trades(), ticks(131.5, NOW + 301_000))
        status, reply = await get("/positions")
        assert ids((status, reply)) == names(4)
        (one,) = reply["positions"]
        assert (one["last_price"], one["unrealised"]) == ("131.50", "862.50")
        assert (one["favourable"], one["exit_price"], one["lots"]) == ("862.50", None, 1.0)
        assert reply["unrealised"] == "862.50"

    ask(story)


def test_closed_positions_come_latest_first_and_page_by_page() -> None:
    async def story(harness: ServiceHarness, get: Get) -> None:
        await harness.publish(*days_trades())
        assert ids(await get("/positions/closed")) == names(3, 2, 1)
        first = (await get("/positions/closed", limit=2))[1]
        second = (await get("/positions/closed", limit=2, before=first["next"]))[1]
        assert ids((200, first)) + ids((200, second)) == names(3, 2, 1)
        assert second["next"] is None

    ask(story)


def test_positions_are_found_by_symbol_strategy_and_day() -> None:
    async def story(harness: ServiceHarness, get: Get) -> None:
        await harness.publish(*days_trades())
        for path in ("/positions", "/positions/closed"):
            assert ids(await get(path, symbol="NIFTY2661625000CE"))
            assert ids(await get(path, symbol="nifty 50"))
            assert ids(await get(path, symbol="SBIN")) == []
            assert ids(await get(path, strategy="rsi")) == []
        assert ids(await get("/positions/closed", first=DAY, last=DAY)) == names(3, 2, 1)
        assert ids(await get("/positions/closed", last="2026-06-09")) == []

    ask(story)


def test_the_result_of_a_day_adds_closed_and_open_positions_up() -> None:
    async def story(harness: ServiceHarness, get: Get) -> None:
        await harness.publish(*days_trades(), ticks(131.5, NOW + 301_000))
        status, reply = await get("/positions/results", day=DAY)
        assert status == 200
        closed = reply["closed"]
        assert (closed["trades"], closed["wins"], closed["realised"]) == (3, 1, "37.50")
        assert float(closed["net"]) == pytest.approx(37.5 - float(closed["charges"]))
        assert (reply["open_positions"], reply["unrealised"]) == (1, "862.50")
        # The open one has paid its entry's charges, 27.66 as in the ledger's tests.
        assert reply["open_net"] == "-27.66"
        parts = (closed["net"], reply["open_net"], reply["unrealised"])
        assert float(reply["total"]) == pytest.approx(sum(map(float, parts)))
        assert list(reply["by"]["strategy"]) == ["ma_crossover"]
        empty = (await get("/positions/results", day="2026-06-09"))[1]
        assert (empty["closed"]["trades"], empty["closed"]["win_rate"]) == (0, None)

    ask(story)


def test_a_position_is_found_by_its_id_with_each_of_its_openings() -> None:
    async def story(harness: ServiceHarness, get: Get) -> None:
        late = fill(of=1, number=2, at_ms=NOW + 200_000)
        await harness.publish(*days_trades(), late)
        status, reply = await get(f"/positions/{position_id(1)}")
        assert status == 200
        assert [(one["opening"], one["closed_at"] is None) for one in reply] == [
            (1, False),
            (2, True),
        ]
        assert (await get(f"/positions/{identity('nobody')}"))[0] == 404

    ask(story)


@pytest.mark.parametrize(
    "path",
    [
        "/positions/none",
        "/positions/closed?first=yesterday",
        "/positions/closed?limit=0",
        "/positions/closed?before=1",
        "/positions/results?day=0001-01-01",
    ],
)
def test_what_cannot_be_asked_is_refused(path: str) -> None:
    async def story(_: ServiceHarness, get: Get) -> None:
        assert (await get(path))[0] == 422

    ask(story)


def test_with_tokens_one_is_needed_and_not_too_often() -> None:
    async def story(_: ServiceHarness, get: Get) -> None:
        assert (await get("/positions"))[0] == 401
        assert (await get("/positions/results", token="wrong"))[0] == 401
        for path in ("/positions", "/positions/closed", "/positions/results"):
            assert (await get(path, token="right"))[0] == 200
        assert (await get("/positions", token="right"))[0] == 429

    ask(story, make=guarded)


class Away(ForgetfulStore):
    async def query(self, sql: str, params: Params | None = None) -> dict[str, list[Any]]:
        """Fail."""
        raise StoreUnavailable("no route")


def test_without_the_database_open_positions_are_still_shown() -> None:
    async def story(harness: ServiceHarness, get: Get) -> None:
        await harness.publish(*days_trades())
        assert (await get("/positions/closed"))[0] == 503
        assert ids(await get("/positions")) == names(4)

    ask(story, store=Away())
