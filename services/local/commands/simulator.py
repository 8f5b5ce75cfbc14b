"""`alphastocks simulator`: a simulated Kite Connect exchange for any client."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from libs.runtime.listening import check_port
from libs.runtime.logs import configure_logs
from libs.runtime.runner import stop_on_signals
from services.local import screen
from services.local.commands.options import MOST, Config, settings_of
from services.local.commands.places import check_file, check_readable
from services.local.play.recorded_market import recorded_market
from services.simulator.assembly import synthetic_market
from services.simulator.domain.board import Market
from services.simulator.running import run_simulator, welcome, with_options
from services.simulator.server import SimulatorServer
from services.simulator.settings import SimulatorSettings


def simulator(
    day: Annotated[str | None, typer.Option("--date", help="Trading day that is played.")] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, max=MOST, help="Seed of the market.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", help="Time in India to begin at. [default: the open]")
    ] = None,
    speed: Annotated[
        float | None, typer.Option("--speed", help="Times as fast as the market.")
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port; 0: any that is free.")] = None,
    recorded: Annotated[
        Path | None, typer.Option("--recorded", help="Play recorded ticks: DIR/DATE/SYMBOL.csv.gz.")
    ] = None,
    faults: Annotated[
        Path | None, typer.Option("--faults", help="TOML file of scheduled faults.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option("--state", help="File that keeps the account over restarts.")
    ] = None,
    config: Config = None,
) -> None:
    """Run a simulated Kite Connect exchange on localhost until Ctrl-C.

    Serves REST, login page, websocket and order matching to any Kite client; faults are added at
    /control/faults.
    The app's key is `simulator`, its secret `simulator-secret`.

    Example: `alphastocks simulator --speed 10 --start 10:00`
    """
    options: dict[str, Any] = {"day": day, "seed": seed, "start": start, "speed": speed}
    options |= {"host": host, "port": port, "faults": faults, "state": state}
    settings = settings_of(config)
    chosen = {name: value for name, value in options.items() if value is not None}
    own = with_options(settings.simulator, chosen)
    check_port(own.host, own.port, "simulator.port")
    if own.state is not None:
        check_file("--state", own.state)
    if recorded is not None:
        check_readable("--recorded", recorded)
    market: Market = synthetic_market(own) if recorded is None else recorded_market(recorded, own)
    configure_logs(settings.runtime.log_level, settings.runtime.log_format)
    asyncio.run(_run(own, market))


async def _run(settings: SimulatorSettings, market: Market) -> None:
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    await run_simulator(settings, market, stopping, _print_welcome)


def _print_welcome(server: SimulatorServer) -> None:
    screen.console.print(welcome(server), soft_wrap=True)
