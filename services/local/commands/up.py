"""`alphastocks up`: all services until they are stopped, in one process or on Kafka."""

import asyncio
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from libs.market.calendar import IST
from libs.runtime.logs import configure_logs
from services.local import screen
from services.local.commands.options import (
    DEFAULT_DAY,
    DEFAULT_SEED,
    Config,
    Day,
    Seed,
    settings_of,
    trading_day,
)
from services.local.commands.places import check_folder, check_ports
from services.local.play.database import open_store
from services.local.play.processes import serve_kite_on_kafka, serve_simulated_on_kafka
from services.local.play.serving import OnStart, serve_kite, serve_simulated
from services.local.settings import LocalSettings
from services.simulator.running import with_options


def up(
    kite: Annotated[
        bool, typer.Option("--kite", help="Follow the account in [kite] instead of a simulator.")
    ] = False,
    kafka: Annotated[
        bool, typer.Option("--kafka", help="Run each service as a process, joined by Kafka.")
    ] = False,
    seed: Seed = DEFAULT_SEED,
    day: Day = DEFAULT_DAY,
    speed: Annotated[
        float | None, typer.Option("--speed", min=0.01, help="Times as fast as the market.")
    ] = None,
    config: Config = None,
    var: Annotated[
        Path | None,
        typer.Option("--var", help="Folder for state. [default: var/up, var/kite; with -kafka]"),
    ] = None,
) -> None:
    """Run all six services until Ctrl-C: on a simulated Kite, or with --kite on a real account.

    Health and metrics of each service are on localhost. The simulated market resumes where it
    stopped; after the end of a session the next start plays the next trading day. With --kite the
    mode is logging_only unless the settings name another, so nothing is traded. With --kafka each
    service is a process, on the Kafka and ClickHouse of the settings; servers that are not named
    there are started, which needs Java 17 and, once, Maven.

    Example: `alphastocks up --speed 60`, `alphastocks up --kafka`, or `alphastocks up --kite`
    """
    settings, name = settings_of(config), "kite" if kite else "up"
    settings = settings.for_kite() if kite else _with_speed(settings.for_demo(), speed)
    folder = var or Path(f"var/{name}-kafka" if kafka else f"var/{name}")
    on, on_start = trading_day(day), _greeting(settings, kite)
    check_folder("--var", folder)
    check_ports(settings)
    configure_logs(settings.runtime.log_level, settings.runtime.log_format)
    if kite:
        asyncio.run(_on_account(settings, folder, kafka, on_start))
    else:
        asyncio.run(_on_simulator(settings, folder, kafka, on, seed, on_start))


async def _on_account(
    settings: LocalSettings, folder: Path, kafka: bool, on_start: OnStart
) -> None:
    if kafka:
        today = datetime.now(IST).date()
        await serve_kite_on_kafka(settings, folder, today, on_start, screen.notify)
        return
    async with open_store(settings.store, folder, "kite") as store:
        await serve_kite(settings, store, folder, on_start)


async def _on_simulator(
    settings: LocalSettings, folder: Path, kafka: bool, on: date, seed: int, on_start: OnStart
) -> None:
    if kafka:
        await serve_simulated_on_kafka(settings, folder, on, seed, on_start, screen.notify)
        return
    async with open_store(settings.store, folder, "up") as store:
        await serve_simulated(settings, store, folder, on, seed, on_start)


def _with_speed(settings: LocalSettings, speed: float | None) -> LocalSettings:
    if speed is None:
        return settings
    own = with_options(settings.simulator, {"speed": speed})
    return settings.model_copy(update={"simulator": own})


def _greeting(settings: LocalSettings, kite: bool) -> OnStart:
    """Return the function that prints the day, the mode and the address of each service."""

    def on_start(playing: date, from_ms: int | None, ports: list[tuple[str, int]]) -> None:
        where = "from the open" if from_ms is None else "where it stopped"
        account = f"Following {playing} at {settings.kite.root}"
        what = account if kite else f"Playing {playing} {where}"
        screen.console.print(f"{what}, mode {settings.executor.mode}; Ctrl-C stops it.")
        for service, port in ports:
            address = f"http://{settings.runtime.host}:{port}/health/ready"
            screen.console.print(f"  {service:10} {address}")

    return on_start
