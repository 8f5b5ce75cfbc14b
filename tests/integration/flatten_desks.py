"""A simulated account to be flattened: what our tags bought, and runs that flatten it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from libs.broker.kite.limits import Rate, load_limits
from libs.broker.kite.market import KiteMarketData
from libs.broker.kite.rest import KiteRest
from libs.broker.kite.session import KiteSession, SessionFile
from libs.runtime.settings import KiteSettings
from services.executor.settings import ExecutorProcess, ExecutorSettings
from services.local.flatten.desk import desk
from services.local.flatten.plan import FlattenPlan, Scope
from services.local.flatten.rounds import Rounds
from tests.integration.simulators import Client, exchange_at, order, settings_of

CALL, LOT = "NIFTY2662325700CE", 65
OTHER = "NIFTY2662325750CE"
TAG, STOP_TAG = "A" * 20, "B" * 20


@dataclass
class Emergency:
    """An exchange with an account, and how to flatten it; the market moves while a run sleeps."""

    client: Client
    settings: ExecutorProcess
    lines: list[str] = field(default_factory=list)
    now_ms: int = 0
    _running: int = 0
    _asleep: list["asyncio.Future[None]"] = field(default_factory=list)

    async def hold(self, lots: int = 2, symbol: str = CALL, tag: str = TAG, **more: Any) -> None:
        """Buy lots of an option with a tag of ours, none for by hand."""
        await self.send("BUY", lots, symbol, tag=tag, **more)
        await self.client.seconds(3)

    async def send(self, side: str, lots: int, symbol: str = CALL, **more: Any) -> str:
        """Place an order, at the market unless it says more, and return its id."""
        fields = {
            "exchange": "NFO",
            "tradingsymbol": symbol,
            "transaction_type": side,
            "quantity": lots * LOT,
            "product": "NRML",
        }
        form = {key: one for key, one in order(**fields, **more).items() if one != ""}
        reply = await self.client.http.post("/orders/regular", data=form)
        return str(reply.json()["data"]["order_id"])

    async def rest_stop(self, lots: int = 2, tag: str = STOP_TAG) -> str:
        """Let a stop rest at the exchange."""
        stop = {"order_type": "SL", "price": "90", "trigger_price": "100", "market_protection": ""}
        order_id = await self.send("SELL", lots, tag=tag, **stop)
        await self.client.seconds(2)
        return order_id

    async def rows(self) -> list[dict[str, Any]]:
        """Return the order book."""
        rows: list[dict[str, Any]] = (await self.client.http.get("/orders")).json()["data"]
        return rows

    async def working(self) -> list[dict[str, Any]]:
        """Return the orders that may still fill."""
        ended = ("COMPLETE", "CANCELLED", "REJECTED")
        return [one for one in await self.rows() if one["status"] not in ended]

    async def held(self, symbol: str = CALL) -> int:
        """Return the net units of a contract."""
        rows = (await self.client.http.get("/portfolio/positions")).json()["data"]["net"]
        return sum(one["quantity"] for one in rows if one["tradingsymbol"] == symbol)

    async def sold(self, symbol: str = CALL) -> int:
        """Return the units that were sold of a contract."""
        rows = [one for one in await self.rows() if one["tradingsymbol"] == symbol]
        return sum(one["filled_quantity"] for one in rows if one["transaction_type"] == "SELL")

    @asynccontextmanager
    async def run(self, *, seconds: float = 120, **scope: Any) -> AsyncIterator[Rounds]:
        """Yield rounds of a run of its own."""
        async with desk(self.settings, "simulator", self.lines.append, seconds) as rounds:
            rounds.scope, rounds.market = Scope(**scope), self._unlimited()
            rounds.now_ms, rounds.sleep = (lambda: self.now_ms), self.sleep
            rounds.limits = replace(rounds.limits, watch_seconds=3, doubt_ms=5000)
            self._running += 1
            yield rounds

    def _unlimited(self) -> KiteMarketData:
        """Return prices that may be asked for at any speed: the market goes by steps."""
        kite = self.settings.kite
        limits = load_limits(date.max)
        quick = replace(limits, rates={one: (Rate(10_000, 1000),) for one in limits.rates})
        session = SessionFile(kite.session_file).read()
        return KiteMarketData(KiteRest(kite.address(), lambda: session, quick))

    async def flatten(self, **scope: Any) -> FlattenPlan:
        """Run once, and return what is left."""
        async with self.run(**scope) as rounds:
            left = await self.ended(rounds)
        assert left is not None
        return left

    async def ended(self, rounds: Rounds) -> FlattenPlan | None:
        """Let a run go on to its end."""
        try:
            return await rounds.run()
        finally:
            self._running -= 1
            await self._go_on()

    async def flatten_at_once(self, runs: int = 2, **scope: Any) -> list[FlattenPlan | None]:
        """Let several people flatten at the same time."""
        async with AsyncExitStack() as stack:
            made = [await stack.enter_async_context(self.run(**scope)) for _ in range(runs)]
            return await asyncio.gather(*map(self.ended, made))

    async def sleep(self, seconds: float) -> None:
        """Sleep until all runs do; then the market and the clock go on."""
        assert seconds == 1.0
        asleep = asyncio.get_running_loop().create_future()
        self._asleep.append(asleep)
        await self._go_on()
        await asleep

    async def _go_on(self) -> None:
        if not self._asleep or len(self._asleep) < self._running:
            return
        self.now_ms += 1000
        await self.client.seconds(1)
        woken, self._asleep = self._asleep, []
        for one in woken:
            one.set_result(None)


def in_emergency(
    folder: Path, play: Callable[[Emergency], Awaitable[None]], **changes: Any
) -> None:
    """Play with an exchange that one is logged in to, by a session file in a folder."""

    async def run() -> None:
        async with exchange_at(settings_of(option_seconds=1, **changes)) as client:
            await client.log_in()
            await client.seconds(3)
            await play(Emergency(client, settings_at(client, folder)))

    asyncio.run(run())


def settings_at(client: Client, folder: Path) -> ExecutorProcess:
    """Return settings for the exchange, with the session in its file."""
    file = folder / "kite" / "session.json"
    session = KiteSession("SIM001", client.api_key, client.access_token, datetime.now(UTC))
    SessionFile(file).write(session)
    kite = KiteSettings(
        api_key=client.api_key,
        root=client.server.url,
        ws_root=client.server.ws_url,
        session_file=file,
    )
    return ExecutorProcess(kite=kite, executor=ExecutorSettings(venue="simulator"))
