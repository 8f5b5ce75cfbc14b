"""The endpoints under /signals, out of memory."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from libs.events import signals
from libs.events.event import identity
from libs.runtime.access import AccessToken, hash_of
from libs.runtime.http import make_app
from libs.runtime.service import Parts, Service
from libs.runtime.testing import ServiceHarness
from libs.store.errors import StoreUnavailable
from libs.store.store import Params
from services.signal.service import make_service
from services.signal.settings import SignalSettings
from tests.unit.fakes import ForgetfulStore
from tests.unit.services.position.builders import DAY
from tests.unit.services.signal.test_nights import update
from tests.unit.services.signal.test_service import NOW, make, strategy_signal

Get = Callable[..., Any]
"""Ask a path with parameters; the status and the reply."""


def ask(story: Callable[[ServiceHarness, Get], Any], **made: Any) -> None:
    async def asked() -> None:
        async with ServiceHarness(made.pop("make", make), **made) as harness:
            runner = harness.runner
            app = make_app(runner.service, runner.health, harness.metrics)
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://signal") as client:

                async def get(path: str, token: str = "", **params: Any) -> tuple[int, Any]:
                    headers = {"Authorization": f"Bearer {token}"} if token else {}
                    reply = await client.get(path, params=params or None, headers=headers)
                    is_json = reply.headers["content-type"] == "application/json"
                    return reply.status_code, reply.json() if is_json else reply.text

                await story(harness, get)

    asyncio.run(asked())


def ids(page: tuple[int, Any]) -> list[str]:
    assert page[0] == 200, page
    return [one["tradingsymbol"] for one in page[1]["signals"]]


def on(number: int, symbol: str, **changes: Any) -> signals.StrategySignal:
    return strategy_signal(number, tradingsymbol=symbol, underlying=symbol, **changes)


def test_the_signals_of_the_day_come_newest_first_and_page_by_page() -> None:
    async def story(harness: ServiceHarness, get: Get) -> None:
        symbols = ["SBIN", "INFY", "ITC", "LT", "TCS"]
        await harness.publish(*(on(number, one) for number, one in enumerate(symbols)))
        assert ids(await get("/signals")) == symbols[::-1]
        found: list[str] = []
        before: dict[str, str] = {}
        for _ in range(3):
            status, page = await get("/signals", limit=2, **before)
            found += ids((status, page))
            before = {"before": page["next"]}
        assert found == symbols[::-1]
        assert page["next"] is None
        assert page["day"] == str(DAY)

    ask(story)


def test_signals_of_the_same_time_are_on_one_page_each() -> None:
    async def story(harness: ServiceHarness, get: Get) -> None:
        at = strategy_signal(1).occurred_at
        symbols = ["SBIN", "INFY", "ITC"]
        for number, one in enumerate(symbols):
            await harness.publish(on(number, one, occurred_at=at))
        first = (await get("/signals", limit=2))[1]
        second = (await get("/signals", limit=2, before=first["next"]))[1]
        assert sorted(ids((200, first)) + ids((200, second))) == sorted(symbols)

    ask(story)


def test_signals_are_found_by_symbol_underlying_strategy_and_state() -> None:
    async def story(harness: ServiceHarness, get: Get) -> None:
        await harness.publish(
            strategy_signal(1),
            on(2, "SBIN", strategy="rsi"),
            on(3, "TEST_X"),
            strategy_signal(4, tradingsymbol="NIFTY BANK", underlying="BANKNIFTY"),
        )
        assert ids(await get("/signals", symbol="NIFTY")) == ["NIFTY 50"]
        assert ids(await get("/signals", symbol="nifty bank")) == ["NIFTY BANK"]
        assert ids(await get("/signals", symbol="SBIN")) == ["SBIN"]
        assert ids(await get("/signals", strategy="rsi")) == ["SBIN"]
        assert ids(await get("/signals", state="REJECTED")) == ["TEST_X"]
        assert ids(await get("/signals", day="2026-06-01")) == []

    ask(story)


def test_a_life_tells_each_state_with_its_time_reason_and_numbers() -> None:
    async def story(harness: ServiceHarness, get: Get) -> None:
        await harness.publish(strategy_signal())
        (generated,) = await harness.published("signal_generated")
        assert isinstance(generated, signals.SignalGenerated)
        held = update(signals.SignalActivated, generated, NOW + 5000, DAY)
        await harness.publish(held, update(signals.SignalExpired, generated, NOW + 6000, DAY))
        ended = update(signals.SignalStopped, generated, NOW + 90_000, DAY)
        await harness.publish(ended.model_copy(update={"numbers": {"net": -12.5}}))
        status, life = await get(f"/signals/{generated.signal_id}")
        assert status == 200
        states = [one["state"] for one in life["steps"]]
        assert states == ["NEW", "VALIDATED", "ACTIVATED", "STOPPED"]
        assert life["steps"][-1]["numbers"] == {"net": -12.5}
        assert [one["state"] for one in life["refused"]] == ["EXPIRED"]
        assert (life["state"], life["reason"], life["price"]) == ("STOPPED", "test", 25_000.0)

    ask(story)


def test_a_refused_signal_has_a_life_with_the_reason_of_its_refusal() -> None:
    async def story(harness: ServiceHarness, get: Get) -> None:
        await harness.publish(strategy_signal(1), strategy_signal(2, price=25_010.0))
        _, page = await get("/signals", state="REJECTED")
        (refused,) = page["signals"]
        assert (refused["reason"], refused["price"]) == ("duplicate", None)
        _, life = await get(f"/signals/{refused['signal_id']}")
        assert life["steps"][0]["numbers"]["price"] == 25_010.0

    ask(story)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/signals/{identity('nobody')}", 404),
        ("/signals/none", 422),
        ("/signals?day=yesterday", 422),
        ("/signals?day=0001-01-01", 422),
        ("/signals?state=DONE", 422),
        ("/signals?limit=0", 422),
        ("/signals?limit=1001", 422),
        ("/signals?before=1", 422),
    ],
)
def test_what_cannot_be_is_refused(path: str, status: int) -> None:
    async def story(_: ServiceHarness, get: Get) -> None:
        assert (await get(path))[0] == status

    ask(story)


def test_before_the_first_signal_there_is_no_day_and_no_signal() -> None:
    async def story(_: ServiceHarness, get: Get) -> None:
        assert await get("/signals") == (200, {"day": None, "signals": [], "next": None})

    ask(story)


def test_the_page_of_the_service_links_to_the_signals() -> None:
    async def story(_: ServiceHarness, get: Get) -> None:
        status, page = await get("/")
        assert status == 200
        assert '<a href="/signals">/signals</a>' in page

    ask(story)


def guarded(parts: Parts) -> Service:
    token = AccessToken(name="asha", scope="read", sha256=hash_of("right"))
    return make_service(
        SignalSettings(reading={"tokens": [token], "per_minute": 2}),
        parts,
    )


def test_with_tokens_in_the_settings_one_is_needed() -> None:
    async def story(_: ServiceHarness, get: Get) -> None:
        assert (await get("/signals"))[0] == 401
        assert (await get("/signals", token="wrong"))[0] == 401
        assert (await get("/signals", token="right"))[0] == 200
        assert (await get(f"/signals/{identity('nobody')}", token="right"))[0] == 404
        assert (await get("/signals", token="right"))[0] == 429

    ask(story, make=guarded)


class SilentStore(ForgetfulStore):
    async def query(self, sql: str, params: Params | None = None) -> dict[str, list[Any]]:
        raise StoreUnavailable("it is away")


def test_what_only_the_database_knows_is_not_answered_while_it_is_away() -> None:
    async def story(harness: ServiceHarness, get: Get) -> None:
        assert (await get("/signals"))[0] == 503
        await harness.publish(strategy_signal())
        assert ids(await get("/signals")) == ["NIFTY 50"], "the day itself is in memory"
        assert (await get("/signals", day="2026-06-01"))[0] == 503
        assert (await get(f"/signals/{identity('nobody')}"))[0] == 503

    ask(story, store=SilentStore())
