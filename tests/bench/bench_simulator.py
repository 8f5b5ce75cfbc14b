"""How many full ticks a second the simulated exchange sends, beside a bare websocket server.

Server and reader share one core and one event loop, so both figures hold the reading too.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from libs.broker.kite.address import KiteAddress
from libs.broker.kite.rest import open_session
from services.simulator.assembly import make_exchange, synthetic_market
from services.simulator.server import SimulatorServer
from services.simulator.settings import SimulatorSettings

TOKENS, SECONDS, REPEATS = 500, 300, 3
BYTES_A_TICK = 186


def measure() -> dict[str, float]:
    """Return ticks a second of both, the best of a few runs, and the ratio."""
    ours = max(asyncio.run(_simulator()) for _ in range(REPEATS))
    bare = max(asyncio.run(_bare()) for _ in range(REPEATS))
    return {
        "simulator_ticks_per_s": ours,
        "bare_websocket_ticks_per_s": bare,
        "simulator_vs_bare_websocket": ours / bare,
    }


async def _simulator() -> float:
    settings = SimulatorSettings(port=0, option_seconds=1)
    exchange = make_exchange(settings, synthetic_market(settings))
    async with SimulatorServer(exchange, settings) as server:
        api_key, request_token = server.log_in()
        address = KiteAddress(api_key, root=server.url, ws_root=server.ws_url)
        secret = settings.api_secret.get_secret_value()
        session = await open_session(address, request_token, secret)
        query = f"api_key={api_key}&access_token={session.access_token}"
        options = [one for one in exchange.instruments if one.is_option][:TOKENS]
        tokens = [one.instrument_token for one in options]
        async with _reading(f"{server.ws_url}?{query}") as reader:
            await reader.send(f'{{"a": "subscribe", "v": {tokens}}}')
            await reader.send(f'{{"a": "mode", "v": ["full", {tokens}]}}')
            await server.wait_for_subscribers()

            async def second() -> None:
                await server.trade()
                await server.tick()

            await second()
            return await _ticks_per_s(reader, second)


async def _bare() -> float:
    frame, sockets = bytes(2 + TOKENS * BYTES_A_TICK), []

    async def keep(socket: ServerConnection) -> None:
        sockets.append(socket)
        await socket.wait_closed()

    async with serve(keep, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with _reading(f"ws://127.0.0.1:{port}") as reader:

            async def second() -> None:
                await sockets[0].send(frame)

            return await _ticks_per_s(reader, second)


def _reading(url: str) -> connect:
    return connect(url, compression=None, ping_interval=None, max_size=None)


async def _ticks_per_s(reader: ClientConnection, second: Callable[[], Awaitable[None]]) -> float:
    """Let seconds go by as fast as they can; the time ends when the last tick is read."""
    await _read_all(reader)
    wanted = TOKENS * SECONDS
    began = time.perf_counter()
    reading = asyncio.create_task(_read(reader, wanted))
    for _ in range(SECONDS):
        await second()
    await reading
    return wanted / (time.perf_counter() - began)


async def _read(reader: ClientConnection, wanted: int) -> None:
    read = 0
    while read < wanted:
        read += len(await reader.recv()) // BYTES_A_TICK


async def _read_all(reader: ClientConnection) -> None:
    """Read what is on its way, until nothing comes for a moment."""
    while True:
        try:
            async with asyncio.timeout(0.2):
                await reader.recv()
        except TimeoutError:
            return
