"""The `alphastocks` command."""

import asyncio
import sys
from collections.abc import Coroutine
from datetime import date
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from libs.broker.errors import BrokerError
from libs.events.errors import EventError
from libs.market.calendar import CalendarError, load_calendar
from libs.market.rulebook import RulebookError, load_rulebook
from libs.runtime.logs import configure_logs
from libs.runtime.settings import SettingsError, load_settings
from libs.store.errors import StoreError
from services.ingest.feed import Feed
from services.ingest.recorded import RecordingError
from services.local import screen
from services.local.database import database_of, migrations, open_store
from services.local.feeds import GeneratedFeed, recorded_feed
from services.local.outcome import to_json, write_files
from services.local.replaying import Played, play
from services.local.serving import HISTORY_DAYS, Resumption, serve
from services.local.settings import LocalSettings
from services.local.system import check_services
from services.simulator.domain.market import SyntheticMarket
from services.strategy.domain.registry import UnknownStrategy

DEFAULT_CONFIG = Path("config/alphastocks.toml")
DEMO_DAY = "2026-06-17"
DEMO_SEED = 7
EXPECTED_ERRORS = (
    SettingsError,
    RecordingError,
    StoreError,
    EventError,
    BrokerError,
    CalendarError,
    RulebookError,
    UnknownStrategy,
)
T = TypeVar("T")

app = typer.Typer(
    name="alphastocks",
    help="Market data into candles, candles into signals, signals into option trades.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file. [default: config/alphastocks.toml if it exists]"),
]
Var = Annotated[Path, typer.Option("--var", help="Folder for the database and other state.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the generated market or chain.")]
Day = Annotated[str, typer.Option("--date", help="Trading day, 2021-06-09 say.")]


@app.command()
def demo(
    seed: Seed = DEMO_SEED,
    day: Day = DEMO_DAY,
    out: Annotated[Path, typer.Option("--out", help="Folder for the outcome.")] = Path("var/demo"),
    config: Config = None,
    var: Var = Path("var"),
) -> None:
    """Play a synthetic trading day through all six services, in paper mode.

    Two indices, ten stocks and their option chains, with history for the warm-up; moving
    averages cross on 5 and on 15 minutes, and six positions may be open at once. Needs no
    account and no server; ends by itself and shows what happened.

    Example: `alphastocks demo --seed 11`
    """
    settings, on = _settings(config).for_demo(), _trading_day(day)
    _check_folder(out)
    market = SyntheticMarket(seed, on, load_calendar(), load_rulebook())
    feed = GeneratedFeed(market, on, HISTORY_DAYS)
    inputs = {"seed": seed, "day": on, "settings": settings.public()}
    played = _play("demo", feed, settings, var, database_of("demo", inputs))
    _write(out, played)
    screen.show_summary(f"Demo of {on}, seed {seed}", played.summary)
    screen.console.print(f"The whole outcome is in {out}/; try: head {out}/orders.jsonl")


@app.command()
def replay(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Recorded ticks: DIR/DATE/SYMBOL.csv.gz.")
    ],
    day: Day,
    out: Annotated[Path, typer.Option("--out", help="Folder for the outcome.")],
    symbols: Annotated[
        str | None, typer.Option("--symbols", help="Only these symbols: RELIANCE,SBIN say.")
    ] = None,
    seed: Seed = DEMO_SEED,
    database: Annotated[
        str | None, typer.Option("--database", help="Database. [default: named by the inputs]")
    ] = None,
    config: Config = None,
    var: Var = Path("var"),
) -> None:
    """Play a recorded day through all six services at full speed, in paper mode.

    Earlier days in DIR warm the strategies up. Options are quoted by a seeded chain off the
    recorded prices. The same inputs give the same outcome, told by one sha256.

    Example: `alphastocks replay ticks_2021 --date 2021-06-09 --out var/replay`
    """
    settings, on = _settings(config).in_paper(), _trading_day(day)
    wanted = _symbols(symbols)
    _check_folder(out)
    segments, expiries = settings.candle.segments, settings.executor.expiries_needed
    feed = recorded_feed(folder, on, wanted, seed, segments, expiries)
    names = sorted(one.tradingsymbol for one in feed.recording.instruments)
    inputs = {"seed": seed, "day": on, "symbols": names, "settings": settings.public()}
    name = database or settings.store.database or database_of("replay", inputs)
    played = _play("replay", feed, settings, var, name)
    _write(out, played)
    screen.show_summary(f"Replay of {on}, seed {seed}", played.summary)
    screen.console.print(f"The whole outcome is in {out}/")


@app.command()
def up(
    seed: Seed = DEMO_SEED,
    day: Day = DEMO_DAY,
    speed: Annotated[
        float | None, typer.Option("--speed", min=0.01, help="Times as fast as the market.")
    ] = None,
    config: Config = None,
    var: Var = Path("var/up"),
) -> None:
    """Run all six services on a generated market at the market's pace, until Ctrl-C.

    Health and metrics of each service are on localhost. A restart goes on where it stopped;
    after the end of a session the next start plays the next trading day.

    Example: `alphastocks up --speed 60`
    """
    settings, on = _settings(config).for_demo(), _trading_day(day)
    if speed is not None:
        ingest = settings.ingest.model_copy(update={"speed": speed})
        settings = settings.model_copy(update={"ingest": ingest})

    def on_start(resumption: Resumption, ports: list[tuple[str, int]]) -> None:
        where = "from the open" if resumption.from_ms is None else "where it stopped"
        screen.console.print(f"Playing {resumption.day} {where}; Ctrl-C stops it.")
        for service, port in ports:
            screen.console.print(
                f"  {service:10} http://{settings.runtime.host}:{port}/health/ready"
            )

    async def run() -> None:
        async with open_store(settings.store, var, "up") as store:
            await serve(settings, store, var, on, seed, on_start)

    configure_logs(settings.runtime.log_level, settings.runtime.log_format)
    _run(run())


@app.command()
def migrate(
    config: Config = None,
    var: Var = Path("var"),
    database: Annotated[str, typer.Option("--database", help="Database.")] = "alphastocks",
) -> None:
    """Bring the tables of a database up to date; what is applied already stays as it is.

    Example: `ALPHASTOCKS_STORE__HOST=localhost alphastocks migrate`
    """
    settings = _settings(config)

    async def run() -> None:
        async with open_store(settings.store, var, database):
            pass

    _run(run())
    name = settings.store.database or database
    for migration in migrations():
        screen.console.print(f"{migration.service:10} {migration.number:04} {migration.title}")
    screen.console.print(f"Database {name} is up to date.")


@app.command()
def topics() -> None:
    """Show the topics: what they carry, who writes and who reads them.

    Example: `alphastocks topics`
    """
    screen.show_topics()


def _settings(config: Path | None) -> LocalSettings:
    file = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    settings = load_settings(LocalSettings, file)
    check_services(settings)
    return settings


def _trading_day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"--date: {text!r} is no date such as 2021-06-09") from None
    reason = load_calendar().closed_reason("NSE", day)
    if reason is not None:
        raise SettingsError(f"--date: the market is closed on {day} ({reason})")
    return day


def _symbols(text: str | None) -> list[str] | None:
    if text is None:
        return None
    names = sorted({name.strip() for name in text.split(",")} - {""})
    if not names:
        raise SettingsError("--symbols: names no symbol")
    return names


def _check_folder(out: Path) -> None:
    """Find out before the run that its outcome has no place."""
    if any(place.exists() and not place.is_dir() for place in (out, *out.parents)):
        raise SettingsError(f"--out: {out} cannot be a folder: a file is in its place")


def _play(what: str, feed: Feed, settings: LocalSettings, var: Path, database: str) -> Played:
    configure_logs("error", settings.runtime.log_format)
    session = load_calendar().sessions("NSE", feed.trading_day)[-1]

    async def run() -> Played:
        async with open_store(settings.store, var, database) as store:
            with screen.session_progress(f"{what} {feed.trading_day}", session) as on_frame:
                played = await play(settings, feed, store, on_frame)
        played.summary["database"] = settings.store.database or database
        return played

    return _run(run())


def _write(out: Path, played: Played) -> None:
    write_files(out, {**played.outcome.files(), "summary.json": to_json(played.summary)})


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


def main() -> None:
    """Run the command; what is wrong with its input is one line and exit status 2."""
    try:
        app()
    except EXPECTED_ERRORS as error:
        sys.stderr.write(f"alphastocks: {' '.join(str(error).split())}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
