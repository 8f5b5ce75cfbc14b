"""The `alphastocks` command."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from libs.broker.kite.address import login_url
from libs.market.calendar import IST, load_calendar
from libs.runtime.error_line import errors_as_one_line
from libs.runtime.logs import configure_logs
from libs.runtime.runner import stop_on_signals
from libs.runtime.settings import SettingsError
from libs.store.store import Store
from services.local import screen
from services.local.commands.cluster import lag, topics_app
from services.local.commands.control import halt, leave, mode, resume, state, token
from services.local.commands.deploy import secrets
from services.local.commands.events import dlq_app, tail
from services.local.commands.kite_login import address_with_secret, log_in
from services.local.commands.options import Config, settings_of
from services.local.play.database import database_of, migrations, open_store
from services.local.play.feeds import recorded_feed
from services.local.play.outcome import to_json, write_files
from services.local.play.processes import serve_kite_on_kafka, serve_simulated_on_kafka
from services.local.play.recorded_market import recorded_market
from services.local.play.replaying import Played, play, play_exchange
from services.local.play.serving import serve_kite, serve_simulated
from services.local.settings import LocalSettings
from services.simulator.assembly import synthetic_market
from services.simulator.domain.board import Market
from services.simulator.running import run_simulator, welcome, with_options

DEMO_DAY = "2026-06-17"
DEMO_SEED = 7
T = TypeVar("T")
OnFrame = Callable[[int], None]
PlayDay = Callable[[Store, OnFrame], Coroutine[Any, Any, Played]]

app = typer.Typer(
    name="alphastocks",
    help="Market data into candles, candles into signals, signals into option trades.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

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

    A simulated Kite plays two indices, ten stocks and their option chains over HTTP and a
    websocket on localhost, and takes the orders; moving averages cross on 5 and on 15 minutes,
    and six positions may be open at once. Needs no account; ends by itself, shows what happened
    and compares our orders and positions with the broker's.

    Example: `alphastocks demo --seed 11`
    """
    settings, on = settings_of(config).for_demo(), _trading_day(day)
    _check_folder(out)
    inputs = {"seed": seed, "day": on, "settings": settings.public()}
    name = settings.store.database or database_of("demo", inputs)

    def run(store: Store, on_frame: OnFrame) -> Coroutine[Any, Any, Played]:
        return play_exchange(settings, on, seed, store, var, on_frame)

    played = _play("demo", on, settings, var, name, run)
    _write(out, played)
    screen.show_summary(f"Demo of {on}, seed {seed}", played.summary)
    screen.console.print(f"The whole outcome is in {out}/; try: head {out}/orders.jsonl")
    if played.summary["broker_differences"]:
        raise typer.Exit(1)


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
    settings, on = settings_of(config).in_paper(), _trading_day(day)
    wanted = _symbols(symbols)
    _check_folder(out)
    segments, expiries = settings.candle.segments, settings.executor.expiries_needed
    feed = recorded_feed(folder, on, wanted, seed, segments, expiries)
    names = sorted(one.tradingsymbol for one in feed.recording.instruments)
    inputs = {"seed": seed, "day": on, "symbols": names, "settings": settings.public()}
    name = database or settings.store.database or database_of("replay", inputs)

    def run(store: Store, on_frame: OnFrame) -> Coroutine[Any, Any, Played]:
        return play(settings, feed, store, on_frame)

    played = _play("replay", on, settings, var, name, run)
    _write(out, played)
    screen.show_summary(f"Replay of {on}, seed {seed}", played.summary)
    screen.console.print(f"The whole outcome is in {out}/")


@app.command()
def up(
    kite: Annotated[
        bool, typer.Option("--kite", help="Follow the account in [kite] instead of a simulator.")
    ] = False,
    kafka: Annotated[
        bool, typer.Option("--kafka", help="Run each service as a process, joined by Kafka.")
    ] = False,
    seed: Seed = DEMO_SEED,
    day: Day = DEMO_DAY,
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

    Health and metrics of each service are on localhost. The simulated market goes on where it
    stopped; after the end of a session the next start plays the next trading day. With --kite
    nothing is traded unless the settings say so: the mode is logging_only. With --kafka the six are
    processes, on the Kafka and ClickHouse of the settings, or on servers that are started for it;
    that needs Java 17 and, once, Maven.

    Example: `alphastocks up --speed 60`, `alphastocks up --kafka`, or `alphastocks up --kite`
    """
    settings, name = settings_of(config), "kite" if kite else "up"
    settings = settings.for_kite() if kite else _with_speed(settings.for_demo(), speed)
    folder = var or Path(f"var/{name}-kafka" if kafka else f"var/{name}")
    on = _trading_day(day)

    def on_start(playing: date, from_ms: int | None, ports: list[tuple[str, int]]) -> None:
        where = "from the open" if from_ms is None else "where it stopped"
        what = (
            f"Following {playing} at {settings.kite.root}" if kite else f"Playing {playing} {where}"
        )
        screen.console.print(f"{what}, mode {settings.executor.mode}; Ctrl-C stops it.")
        for service, port in ports:
            screen.console.print(
                f"  {service:10} http://{settings.runtime.host}:{port}/health/ready"
            )

    async def run() -> None:
        if kafka and kite:
            today = datetime.now(IST).date()
            await serve_kite_on_kafka(settings, folder, today, on_start, screen.say)
        elif kafka:
            await serve_simulated_on_kafka(settings, folder, on, seed, on_start, screen.say)
        else:
            await run_embedded()

    async def run_embedded() -> None:
        async with open_store(settings.store, folder, name) as store:
            if kite:
                await serve_kite(settings, store, folder, on_start)
            else:
                await serve_simulated(settings, store, folder, on, seed, on_start)

    configure_logs(settings.runtime.log_level, settings.runtime.log_format)
    _run(run())


@app.command()
def simulator(
    day: Annotated[str | None, typer.Option("--date", help="Trading day that is played.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of the market.")] = None,
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
        Path | None, typer.Option("--faults", help="TOML file of faults that happen.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option("--state", help="File that keeps the account over a restart.")
    ] = None,
    config: Config = None,
) -> None:
    """Run a simulated Kite Connect exchange on localhost until Ctrl-C.

    REST, login page, websocket and order matching for any Kite client; faults at /control/faults.
    The app's key is `simulator`, its secret `simulator-secret`.

    Example: `alphastocks simulator --speed 10 --start 10:00`
    """
    options: dict[str, Any] = {"day": day, "seed": seed, "start": start, "speed": speed}
    options |= {"host": host, "port": port, "faults": faults, "state": state}
    settings = settings_of(config)
    chosen = {name: value for name, value in options.items() if value is not None}
    own = with_options(settings.simulator, chosen)
    market: Market = synthetic_market(own) if recorded is None else recorded_market(recorded, own)

    async def run() -> None:
        stopping = asyncio.Event()
        stop_on_signals(stopping)
        await run_simulator(own, market, stopping, lambda server: print_welcome(welcome(server)))

    def print_welcome(text: str) -> None:
        screen.console.print(text, soft_wrap=True)

    configure_logs(settings.runtime.log_level, settings.runtime.log_format)
    _run(run())


@app.command()
def login(
    config: Config = None,
    request_token: Annotated[
        str | None, typer.Option("--request-token", help="Skip the question: token or address.")
    ] = None,
) -> None:
    """Log in at Kite, once a day; the token is kept for the services until 06:00 tomorrow.

    Needs ALPHASTOCKS_KITE__API_KEY and ALPHASTOCKS_KITE__API_SECRET. Running services take the
    new token up by themselves.

    Example: `alphastocks login`
    """
    settings = settings_of(config)
    address = address_with_secret(settings.kite)
    if request_token is None:
        screen.console.print(f"Log in here: {login_url(address)}", soft_wrap=True)
        request_token = typer.prompt("Paste the address that you were sent to", err=True)
    session = _run(log_in(settings.kite, request_token))
    until = session.expires_at.astimezone(IST)
    screen.console.print(f"Logged in as {session.user_id} until {until:%Y-%m-%d %H:%M} in India.")


@app.command()
def migrate(
    config: Config = None,
    var: Var = Path("var"),
    database: Annotated[str, typer.Option("--database", help="Database.")] = "alphastocks",
) -> None:
    """Bring the tables of a database up to date; what is applied already stays as it is.

    Example: `ALPHASTOCKS_STORE__HOST=localhost alphastocks migrate`
    """
    settings = settings_of(config)

    async def run() -> None:
        async with open_store(settings.store, var, database):
            pass

    _run(run())
    name = settings.store.database or database
    for migration in migrations():
        screen.console.print(f"{migration.service:10} {migration.number:04} {migration.title}")
    screen.console.print(f"Database {name} is up to date.")


app.add_typer(topics_app, name="topics")
app.command()(secrets)
app.command()(lag)
app.command()(tail)
app.command()(halt)
app.command()(resume)
app.command()(mode)
app.command(name="exit")(leave)
app.command()(state)
app.command()(token)
app.add_typer(dlq_app, name="dlq")


def _with_speed(settings: LocalSettings, speed: float | None) -> LocalSettings:
    if speed is None:
        return settings
    own = with_options(settings.simulator, {"speed": speed})
    return settings.model_copy(update={"simulator": own})


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


def _play(
    what: str, day: date, settings: LocalSettings, var: Path, database: str, play_day: PlayDay
) -> Played:
    configure_logs("error", settings.runtime.log_format)
    session = load_calendar().sessions("NSE", day)[-1]

    async def run() -> Played:
        async with open_store(settings.store, var, database) as store:
            with screen.session_progress(f"{what} {day}", session) as on_frame:
                played = await play_day(store, on_frame)
        played.summary["database"] = database
        return played

    return _run(run())


def _write(out: Path, played: Played) -> None:
    write_files(out, {**played.outcome.files(), "summary.json": to_json(played.summary)})


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


def main() -> None:
    """Run the command; what is wrong with its input is one line and exit status 2."""
    with errors_as_one_line("alphastocks"):
        app()


if __name__ == "__main__":
    main()
