"""Runs the exchange at a pace; shared by the commands that start it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError

from libs.runtime.settings import SettingsError
from services.simulator.assembly import make_exchange
from services.simulator.domain.board import Market
from services.simulator.server import SimulatorServer
from services.simulator.settings import SimulatorSettings

_OPTIONS = {"day": "date"}
"""Key of a setting → the option that sets it, where they have different names."""


async def run_simulator(
    settings: SimulatorSettings,
    market: Market,
    stopping: asyncio.Event,
    on_start: Callable[[SimulatorServer], None],
) -> None:
    """Serve a market at the settings' speed until stopped; raises SettingsError.

    `on_start` is called with the server when it listens.
    """
    async with SimulatorServer(make_exchange(settings, market), settings) as server:
        on_start(server)
        await server.run(stopping)


def welcome(server: SimulatorServer) -> str:
    """Return the addresses of a listening server, as text for a person."""
    exchange = server.exchange
    query = urlencode({"api_key": exchange.logins.app.api_key, "v": 3})
    return "\n".join(
        (
            f"A simulated Kite plays {exchange.trading_day}; Ctrl-C stops it.",
            f"  REST       {server.url}",
            f"  websocket  {server.ws_url}",
            f"  log in     {server.url}/connect/login?{query}",
            f"  control    {server.url}/control/state",
        )
    )


def with_options(settings: SimulatorSettings, options: Mapping[str, Any]) -> SimulatorSettings:
    """Return the settings with others of a command line; raises SettingsError naming the option."""
    try:
        return SimulatorSettings.model_validate({**dict(settings), **options})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = str(first["loc"][0])
        raise SettingsError(f"--{_OPTIONS.get(key, key)}: {first['msg']}") from None
