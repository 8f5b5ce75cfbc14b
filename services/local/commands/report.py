"""`alphastocks report`: what was earned, what it cost, and how it was traded."""

import asyncio
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from libs.market.rulebook import load_rulebook
from libs.runtime.logs import configure_logs
from libs.runtime.settings import SettingsError
from libs.store.store import Store
from services.local import screen
from services.local.commands.options import Config, settings_of, trading_day
from services.local.commands.places import (
    check_apart,
    check_database,
    check_file,
    check_readable,
)
from services.local.play.database import open_store
from services.local.report.books import FIRST_DAY, LAST_DAY, Books, Kept, Period, books_of
from services.local.report.csv_file import csv_of
from services.local.report.folder import read_outcome
from services.local.report.on_screen import shown
from services.local.report.page import page
from services.local.report.stored import last_day, read_stored
from services.local.settings import LocalSettings

_NO_DAY = "report: there is no fill, so no day: name one by --date"
Made = dict[Path, Callable[[Books], str]]


def report(
    on: Annotated[
        str | None, typer.Option("--date", help="Trading day. [default: the last with a fill]")
    ] = None,
    first: Annotated[str | None, typer.Option("--from", help="First day.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day.")] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="File for each fill with each of its charges.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="File for a page with charts, for a browser.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Outcome folder of `demo` or `replay`, instead of a database."),
    ] = None,
    config: Config = None,
    var: Annotated[Path, typer.Option("--var", help="Folder of the database.")] = Path("var/up"),
    database: Annotated[
        str | None,
        typer.Option("--database", help="Database. [default: the settings'; else kite or up]"),
    ] = None,
) -> None:
    """Show trades, results and charges of a day, or of several.

    Charges are added up as on the contract note: rounded per order and per day. The page works
    without a network. The CSV is for a tax adviser: a row for each fill; its columns add up to the
    report's figures. A database in --var is read while no `up` runs on it.

    Example: `alphastocks report --from 2026-06-01 --to 2026-06-30 --html june.html`
    """
    check_database(database)
    settings = settings_of(config)
    configure_logs("error", settings.runtime.log_format)
    if csv and html:
        check_apart("--html", html, csv)
    files = _checked({"--csv": (csv, csv_of), "--html": (html, page)})
    asked = asked_period(on, first, last)
    if out is not None:
        books = _of_folder(out, asked)
    elif settings.store.host or var.is_dir():
        books = asyncio.run(_of_database(settings, var, database, asked))
    else:
        raise SettingsError(f"--var: there is no database in {var}; name one, or an --out")
    for part in shown(books):
        screen.console.print(part, soft_wrap=isinstance(part, str))
    for file, made in files.items():
        file.write_text(made(books), "utf-8")
        screen.notify(f"written: {file}")


def asked_period(on: str | None, first: str | None, last: str | None) -> Period | None:
    """Return the days that the options name, None if they name none; raise SettingsError."""
    if on is not None:
        if first or last:
            raise SettingsError("--date: one day, or --from and --to; not both")
        day = trading_day(on)
        return Period(day, day)
    if first is None and last is None:
        return None
    period = Period(_day("--from", first, FIRST_DAY), _day("--to", last, LAST_DAY))
    if period.first > period.last:
        raise SettingsError(f"--from: {period.first} is after {period.last}")
    return period


def _day(option: str, text: str | None, default: date) -> date:
    if text is None:
        return default
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{option}: {text!r} is not a date such as 2021-06-09") from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise SettingsError(f"{option}: {day} is beyond what a database can hold")
    return day


def _checked(files: dict[str, tuple[Path | None, Callable[[Books], str]]]) -> Made:
    for option, (file, _) in files.items():
        if file is not None:
            check_file(option, file)
    return {file: made for file, made in files.values() if file is not None}


def _of_folder(folder: Path, asked: Period | None) -> Books:
    check_readable("--out", folder)
    kept = read_outcome(folder, asked.last if asked else date.max)
    return books_of(kept, asked or _whole(kept), load_rulebook())


def _whole(kept: Kept) -> Period:
    """Return the days from the first to the last fill."""
    days = [one.trading_day for one in kept.fills]
    if not days:
        raise SettingsError(_NO_DAY)
    return Period(min(days), max(days))


async def _of_database(
    settings: LocalSettings, var: Path, database: str | None, asked: Period | None
) -> Books:
    name = database or settings.store.database or ("kite" if "kite" in var.name else "up")
    async with open_store(settings.store, var, name) as store:
        period = asked or await _last(store)
        return books_of(await read_stored(store, period), period, load_rulebook())


async def _last(store: Store) -> Period:
    day = await last_day(store)
    if day is None:
        raise SettingsError(_NO_DAY)
    return Period(day, day)
