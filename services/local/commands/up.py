"""`alphastocks up`: all services until they are stopped, in one process or on Kafka."""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from libs.market.calendar import IST
from libs.runtime.logs import configure_logs
from libs.runtime.settings import SettingsError
from services.executor.domain.stakes import stakes_of
from services.local import screen
from services.local.commands.options import (
    DEFAULT_DAY,
    DEFAULT_SEED,
    MOST,
    Config,
    settings_of,
    trading_day,
)
from services.local.commands.places import check_folder, check_ports
from services.local.control_file import note_wait
from services.local.day_screen import show_day
from services.local.own_control import own_control
from services.local.play.database import open_store
from services.local.play.day_events import DayEvents
from services.local.play.processes import serve_kite_on_kafka, serve_simulated_on_kafka
from services.local.play.running_servers import RunningServers
from services.local.play.serving import (
    Begin,
    OnStart,
    Reports,
    serve_kite,
    serve_simulated,
)
from services.local.play.standing import Standing
from services.local.play.state_folder import Wanted, begin_anew
from services.local.play.trading_days import OnWait
from services.local.settings import LocalSettings
from services.simulator.running import with_options


def up(
    kite: Annotated[
        bool, typer.Option("--kite", help="Follow the account in [kite] instead of a simulator.")
    ] = False,
    kafka: Annotated[
        bool, typer.Option("--kafka", help="Run each service as a process, joined by Kafka.")
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            min=0,
            max=MOST,
            help="Seed of the generated market. [default: the state's, or 7]",
        ),
    ] = None,
    day: Annotated[
        str | None,
        typer.Option("--date", help="Trading day. [default: where the state is, or 2026-06-17]"),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Remove the state in the folder and begin anew.")
    ] = False,
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
    stopped, and plays one trading day after another. With --kite the mode is logging_only unless
    the settings name another, so nothing is traded; it waits for a login, and after a session for
    the next trading day. At the close, and at Ctrl-C, the day's trades are shown, and why other
    signals were not traded. With --kafka each service is a process, on the Kafka and ClickHouse of
    the settings; servers that are not named there are started, which needs Java 17 and, once,
    Maven.

    `state`, `halt`, `resume` and `exit` find it by themselves, by a token that is new at each
    start, in the file control.json of its folder; with a --var of your own, name it there too.

    Example: `alphastocks up --speed 60`, `alphastocks up --kafka`, or `alphastocks up --kite`
    """
    wanted = Wanted(trading_day(day) if day else None, seed)
    if kite:
        _refuse({"--date": day, "--seed": seed, "--speed": speed, "--fresh": fresh or None})
    settings, name = settings_of(config), "kite" if kite else "up"
    settings = settings.for_kite() if kite else _with_speed(settings.for_demo(), speed)
    folder = var or Path(f"var/{name}-kafka" if kafka else f"var/{name}")
    check_folder("--var", folder)
    check_ports(settings)
    if fresh:
        _check_own_servers(settings)
    reports = Reports(_greeting(settings, kite), _show_result, screen.notify, _noting_in(folder))
    configure_logs(settings.runtime.log_level, settings.runtime.log_format)
    with own_control(settings, folder) as controlled:
        if fresh:
            begin_anew(folder)
        if kite:
            asyncio.run(_on_account(controlled, folder, kafka, reports))
        else:
            begin = Begin(date.fromisoformat(DEFAULT_DAY), DEFAULT_SEED, wanted)
            asyncio.run(_on_simulator(controlled, folder, kafka, begin, reports))


async def _on_account(settings: LocalSettings, folder: Path, kafka: bool, reports: Reports) -> None:
    if kafka:
        today = datetime.now(IST).date()
        await serve_kite_on_kafka(settings, folder, today, reports, _show_servers)
        return
    async with open_store(settings.store, folder, "kite") as store:
        await serve_kite(settings, store, folder, reports)


async def _on_simulator(
    settings: LocalSettings, folder: Path, kafka: bool, begin: Begin, reports: Reports
) -> None:
    if kafka:
        await serve_simulated_on_kafka(settings, folder, begin, reports, _show_servers)
        return
    async with open_store(settings.store, folder, "up") as store:
        await serve_simulated(settings, store, folder, begin, reports)


def _refuse(options: Mapping[str, object]) -> None:
    """Raise SettingsError for the first option that was given."""
    for name, value in options.items():
        if value is not None:
            raise SettingsError(f"{name} is for the simulated market, not for an account (--kite)")


def _check_own_servers(settings: LocalSettings) -> None:
    """Raise SettingsError where a server of the settings would keep the state."""
    if settings.store.host or settings.bus.kind == "kafka":
        raise SettingsError(
            "--fresh removes files in the state folder only, and the settings name a server of "
            "yours: name an empty database and topics there (store.database, bus.prefix), and --var"
        )


def _with_speed(settings: LocalSettings, speed: float | None) -> LocalSettings:
    if speed is None:
        return settings
    own = with_options(settings.simulator, {"speed": speed})
    return settings.model_copy(update={"simulator": own})


def _greeting(settings: LocalSettings, kite: bool) -> OnStart:
    """Return the function that prints the day and the mode, and once each service's address."""
    shown: list[date] = []

    def on_start(
        playing: date, from_ms: int | None, ports: list[tuple[str, int]], standing: Standing
    ) -> None:
        where = "from the open" if from_ms is None else "where it stopped"
        account = f"Following {playing} at {settings.kite.root}"
        what = account if kite else f"Playing {playing} {where}"
        screen.console.print(f"{what}, {standing.line}; Ctrl-C stops it.")
        shown.append(playing)
        if len(shown) > 1:
            return
        screen.console.print(stakes_of(settings.executor.policy()).line)
        for service, port in ports:
            address = f"http://{settings.runtime.host}:{port}/health/ready"
            screen.console.print(f"  {service:10} {address}")

    return on_start


def _show_result(day: date, events: DayEvents, is_over: bool, standing: Standing) -> None:
    """Print what a day came to."""
    title = f"{day}: the session is over" if is_over else f"{day}, so far"
    show_day(title, {**standing.figures, **events.figures()}, events, "the table positions")


def _noting_in(folder: Path) -> OnWait:
    """Return the function that notes what is waited for, for those who ask the executor."""

    def on_wait(waits_for: str) -> None:
        try:
            note_wait(folder, waits_for)
        except (OSError, SettingsError) as error:
            screen.notify(f"`state` cannot say what is waited for: {error}")

    return on_wait


def _show_servers(servers: RunningServers) -> None:
    screen.console.print(f"  {'Kafka':10} {servers.kafka}")
    screen.console.print(f"  {'ClickHouse':10} {servers.clickhouse}")
