"""`alphastocks doctor`: whether everything is there that a start on a real account needs."""

import json
import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.table import Table
from rich.text import Text

from libs.broker.errors import SessionError, SessionMissing
from libs.broker.kite.session import KiteSession, SessionFile
from libs.broker.kite.settings import KiteSettings
from libs.market.calendar import IST, CalendarError, load_calendar
from libs.market.market_hours import MarketHours
from libs.runtime.direct import DIRECT
from libs.runtime.settings import SettingsError
from services.executor.domain.doctor import day as days
from services.executor.domain.doctor.finding import Finding, is_well
from services.executor.domain.doctor.machine import disk_finding
from services.executor.replies import Examined
from services.local import checks, screen
from services.local.catalogue import NAMES, SERVICES
from services.local.checks import Answer, Port
from services.local.commands.executor_client import URL, chosen_executor
from services.local.commands.options import Config, settings_of
from services.local.control_file import is_running
from services.local.settings import LocalSettings

LOCAL_KEY, DOCKER_KEY = "ALPHASTOCKS_KITE__API_KEY", "KITE_API_KEY"
DOCKER_PORTS = {
    "GRAFANA_PORT": 3000,
    "EXECUTOR_PORT": 8101,
    "PROMETHEUS_PORT": 9090,
    "CLICKHOUSE_PORT": 8123,
}
"""What the compose file publishes on this machine, by the variable that changes it."""
_STYLES = {"ok": "green", "waits": "yellow", "unknown": "yellow", "failed": "bold red"}
_SECONDS = 2.0


def doctor(
    config: Config = None,
    docker: Annotated[
        bool, typer.Option("--docker", help="Check for `make up LIVE=1`, not for `up --kite`.")
    ] = False,
    running: Annotated[
        bool, typer.Option("--running", help="It runs already: do not ask for free ports.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")] = False,
    var: Annotated[Path, typer.Option("--var", help="Folder for state.")] = Path("var"),
) -> None:
    """Check what a start on a real account needs: one list, each with what to do about it.

    Where an executor runs here, or a token for one is in the environment, it examines itself too:
    session, books and funds, instruments and rules, clock and feed, bus and database, and the legal
    frame. Live trading is not armed while one of these lines fails. `waits` is healthy: services
    wait for a login, or for the next trading day. The exit status is 1 when something failed.

    Example: `alphastocks doctor`
    """
    now = datetime.now(UTC)
    findings = list(_on_docker(now, var) if docker else _here(config, now, var))
    shown = [one for one in findings if not (running and one.check == "ports")]
    executor, lines = _of_executor()
    if as_json:
        rows = {"machine": shown, "executor": lines}
        typer.echo(json.dumps({of: [asdict(one) for one in found] for of, found in rows.items()}))
    else:
        screen.console.print(_table(shown))
        if lines:
            screen.console.print(f"\nThe executor at {executor}:", soft_wrap=True)
            screen.console.print(_table(lines))
    if not is_well([*shown, *lines]):
        raise typer.Exit(1)


def _of_executor() -> tuple[str, list[Finding]]:
    """Return the address of the executor that runs, and its lines; none where none runs."""
    try:
        found = chosen_executor(os.environ.get(URL), None)
    except SettingsError:
        return "", []
    try:
        examined = Examined.model_validate(found.ask("doctor", None))
    except (SettingsError, ValidationError) as error:
        return found.url, [Finding("executor", "waits", str(error), "look at its log")]
    return found.url, [
        Finding(one.check, one.state, one.reason, one.action) for one in examined.lines
    ]


def _here(config: Path | None, now: datetime, var: Path) -> Iterator[Finding]:
    """Yield the findings for `alphastocks up --kite`."""
    try:
        settings = settings_of(config)
    except SettingsError as error:
        yield Finding("settings", "failed", error.line, "correct it; the rest needs the settings")
        yield from _of_every_start(now, var, None)
        return
    yield Finding("settings", "ok", "can be read")
    kite, session = settings.kite, session_of(settings.kite)
    yield checks.key_finding(kite.api_key, LOCAL_KEY)
    hours = MarketHours(load_calendar(), settings.ingest.universe.exchanges)
    yield checks.session_finding(session, kite.api_key, _opens_at(hours, now))
    is_up = any(map(is_running, (var, *var.glob("*/"))))
    yield checks.ports_finding(_service_ports(settings, may_be_ours=is_up))
    yield from map(checks.server_finding, _servers(settings))
    yield from _of_every_start(now, var, session, hours)


def _on_docker(now: datetime, var: Path) -> Iterator[Finding]:
    """Yield the findings for the live stack, whose session is in a volume of its own."""
    inside = SessionMissing("is kept by the stack, which waits for it")
    yield checks.key_finding(os.environ.get(DOCKER_KEY, ""), DOCKER_KEY)
    yield checks.session_finding(inside, "", None, "make login, when it is up")
    ports = [
        _port(variable.removesuffix("_PORT").lower(), number, variable)
        for variable, number in _docker_ports().items()
    ]
    yield checks.ports_finding(ports)
    yield from _of_every_start(now, var, None)


def _of_every_start(
    now: datetime,
    var: Path,
    session: KiteSession | SessionError | None,
    hours: MarketHours | None = None,
) -> Iterator[Finding]:
    calendar, folder = load_calendar(), _existing(var)
    yield disk_finding(folder, shutil.disk_usage(folder).free)
    yield days.day_finding(hours or MarketHours(calendar), now)
    yield days.calendar_finding(calendar, now.astimezone(IST).date())
    yield checks.clock_finding(now, *_latest(var, session))


def session_of(kite: KiteSettings) -> KiteSession | SessionError:
    """Return the session of the settings' file, or why there is none."""
    try:
        return SessionFile(kite.session_file).read(round(datetime.now(UTC).timestamp() * 1000))
    except SessionError as error:
        return error


def _opens_at(hours: MarketHours, now: datetime) -> datetime | None:
    try:
        return days.next_session(hours, now).opens_at
    except CalendarError:
        return None


def _docker_ports() -> dict[str, int]:
    """Return the ports as the environment sets them; SettingsError for one that is no number."""
    ports = {name: os.environ.get(name) or str(usual) for name, usual in DOCKER_PORTS.items()}
    for name, text in ports.items():
        if not text.isdecimal():
            raise SettingsError(f"{name}: {text!r} is not a port")
    return {name: int(text) for name, text in ports.items()}


def _service_ports(settings: LocalSettings, *, may_be_ours: bool) -> list[Port]:
    """Return the ports of `up`; where none runs, what answers there is of a stack on Docker."""
    first = settings.runtime.port
    return [
        _port(entry.name, first + entry.port_offset, "runtime.port", may_be_ours=may_be_ours)
        for entry in sorted(SERVICES, key=lambda entry: entry.port_offset)
    ]


def _port(purpose: str, number: int, setting: str, *, may_be_ours: bool = False) -> Port:
    """Look who listens on a port of this machine."""
    try:
        with socket.create_server(("127.0.0.1", number)):
            return Port(purpose, number, setting)
    except (OSError, OverflowError) as error:
        if service := _service_at(number):
            is_ours = may_be_ours and service == purpose
            return Port(purpose, number, setting, f"our {service}", is_ours)
        why = "another program" if isinstance(error, OSError) else "nobody: too high a number"
        return Port(purpose, number, setting, why)


def _service_at(port: int) -> str:
    """Return which of our services answers at a port, "" for none."""
    try:
        with DIRECT.open(f"http://127.0.0.1:{port}/info", timeout=_SECONDS) as reply:
            name = json.load(reply)["service"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return name if name in NAMES else ""


def _servers(settings: LocalSettings) -> Iterator[Answer]:
    """Yield which of the servers that the settings name answer."""
    store, bus = settings.store, settings.bus
    if store.host:
        yield _answer("ClickHouse", f"{store.host}:{store.port}", "store.host")
    if bus.kind == "kafka":
        yield _answer("Kafka", bus.bootstrap.split(",")[0], "bus.bootstrap")


def _answer(name: str, address: str, setting: str) -> Answer:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=_SECONDS):
            return Answer(name, address, setting)
    except (OSError, ValueError) as error:
        return Answer(name, address, setting, str(error))


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next(one for one in (folder.absolute(), *folder.absolute().parents) if one.is_dir())


def _latest(var: Path, session: KiteSession | SessionError | None) -> tuple[datetime | None, str]:
    """Return the latest time that is on record: of the login, or of a file of state."""
    times = [
        (datetime.fromtimestamp(file.stat().st_mtime, UTC), f"the file {file}")
        for file in (var.iterdir() if var.is_dir() and os.access(var, os.R_OK) else ())
        if file.exists()
    ]
    if isinstance(session, KiteSession):
        times.append((session.login_time, "the login"))
    return max(times, default=(None, ""), key=lambda one: one[0])


def _table(findings: list[Finding]) -> Table:
    table = Table("check", "", "what is so", "what to do", box=None, pad_edge=False)
    for one in findings:
        table.add_row(
            one.check, Text(one.state, _STYLES[one.state]), Text(one.reason), Text(one.action)
        )
    return table
