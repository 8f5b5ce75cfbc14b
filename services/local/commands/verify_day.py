"""`alphastocks verify-day`: our live candles of a day against the broker's own."""

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from libs.broker.port.market import MarketData
from libs.events.event import utc_from_ms
from libs.market.calendar import IST, Calendar, CalendarError, load_calendar
from libs.runtime.brokers.market import connect_market
from libs.runtime.brokers.registry import BrokerSections
from libs.runtime.brokers.surroundings import surroundings
from libs.runtime.clock import make_clock
from libs.runtime.settings import SettingsError
from services.local import screen
from services.local.commands.options import Config, settings_of, trading_day
from services.local.commands.places import check_database
from services.local.play.database import open_store
from services.local.settings import LocalSettings
from services.local.verification.comparing import Difference
from services.local.verification.signals import ChangedSignal
from services.local.verification.verifying import Verification, Verified

BROKER = "kite"
Day = Annotated[
    str | None,
    typer.Argument(metavar="DATE", help="Trading day. [default: the last that closed]"),
]
Correct = Annotated[
    bool,
    typer.Option("--correct", help="Store the broker's candles too, as revisions of ours."),
]
Database = Annotated[
    str | None,
    typer.Option("--database", help="Database. [default: the settings'; else kite]"),
]
Var = Annotated[Path, typer.Option("--var", help="Folder of the database.")]
Most = Annotated[int, typer.Option("--most", min=1, help="How many differences are listed.")]


def verify_day(
    on: Day = None,
    correct: Correct = False,
    config: Config = None,
    var: Var = Path("var/kite"),
    database: Database = None,
    most: Most = 50,
) -> None:
    """Compare the live candles of a day with the broker's own, after the close.

    Lists what differs, and the signals that the strategies of the settings would have given
    otherwise on the broker's candles. Nothing is written without --correct; the exit status is 1
    if anything differs. Prices are compared to the paisa and volumes exactly: the broker makes its
    candles of another stream of ticks, so small differences are usual.

    Example: `alphastocks verify-day 2026-06-17`
    """
    settings, calendar = settings_of(config), load_calendar()
    day = _day(on, calendar)
    check_database(database)
    if not settings.store.host and not var.is_dir():
        raise SettingsError(f"--var: there is no database in {var}")
    name = database or settings.store.database or "kite"
    found = asyncio.run(_verified(settings, var, name, day, correct))
    _show(found, most)
    if found.compared.differences and not correct:
        raise typer.Exit(1)


def _day(text: str | None, calendar: Calendar) -> date:
    """Return the day that is named, by default the last one that has closed."""
    now = datetime.now(UTC)
    if text is None:
        return last_closed_day(calendar, now)
    day = trading_day(text, option="DATE")
    if calendar.sessions("NSE", day)[-1].closes_at > now:
        raise SettingsError(f"DATE: {day} has not closed yet")
    return day


def last_closed_day(calendar: Calendar, now: datetime) -> date:
    """Return the last trading day whose session is over; SettingsError without a calendar."""
    today = now.astimezone(IST).date()
    try:
        sessions = calendar.sessions("NSE", today)
        if sessions and sessions[-1].closes_at <= now:
            return today
        return calendar.previous_trading_day("NSE", today)
    except CalendarError as error:
        raise SettingsError(f"DATE: {error}: name a day") from None


async def _verified(
    settings: LocalSettings, var: Path, name: str, day: date, correct: bool
) -> Verified:
    market = _market(settings)
    try:
        async with open_store(settings.store, var, name) as store:
            with screen.counted_requests("asking the broker") as on_asked:
                verification = Verification(settings, store, market, load_calendar(), on_asked)
                return await verification.verify(day, corrects=correct)
    finally:
        await market.close()


def _market(settings: LocalSettings) -> MarketData:
    around = surroundings("verify-day", "wall", make_clock("wall"))
    return connect_market(BROKER, BrokerSections(kite=settings.kite), around).market_data()


def _show(found: Verified, most: int) -> None:
    differences = found.compared.differences
    if differences:
        screen.console.print(_differences(found, most))
    if found.signals:
        screen.console.print(_signals(found))
    for key in found.unlisted:
        screen.notify(f"{key}: the broker does not list it any more, so it is not compared")
    count = len(differences)
    said = f"{found.day}: {found.compared.same} candles are the same, {count} differ"
    cut = f"; the first {most} are listed (--most)" if count > most else ""
    screen.notify(f"{said}{cut}; {len(found.signals)} signals would have been different")
    if found.corrected:
        screen.notify(f"{found.corrected} candles of the broker are stored as revisions")


def _differences(found: Verified, most: int) -> Table:
    table = Table(title=f"Candles of {found.day}", title_justify="left")
    for column in ("instrument", "interval", "opened", "what"):
        table.add_column(column, overflow="fold")
    for column in ("ours", "broker's", "difference"):
        table.add_column(column, justify="right")
    for one in found.compared.differences[:most]:
        for row in _rows(one):
            table.add_row(*row)
    return table


def _rows(one: Difference) -> list[tuple[str, ...]]:
    key, interval, opened_ms = one.place
    place = (key, interval, f"{utc_from_ms(opened_ms).astimezone(IST):%H:%M}")
    if one.ours is None or one.brokers is None:
        have = ("no", "yes") if one.ours is None else ("yes", "no")
        return [(*place, "candle", *have, "")]
    return [(*place, name, *map(_figure, one.values(name))) for name in one.fields]


def _figure(value: float) -> str:
    return f"{value:,.2f}" if value % 1 else f"{value:,.0f}"


def _signals(found: Verified) -> Table:
    table = Table(title="Signals that would have been different", title_justify="left")
    for column in (
        "candle closed",
        "instrument",
        "strategy",
        "action",
        "with the broker's candles",
    ):
        table.add_column(column, overflow="fold")
    for one in found.signals:
        table.add_row(*_signal_row(one))
    return table


def _signal_row(one: ChangedSignal) -> tuple[str, ...]:
    signal = one.either
    at = signal.candle_closed_at.astimezone(IST)
    instrument = f"{signal.exchange}:{signal.tradingsymbol}"
    return f"{at:%H:%M}", instrument, signal.strategy, signal.action, one.what
