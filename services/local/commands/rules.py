"""`alphastocks rules`: what holds on a day, where it is from, and until when it is known."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from libs.market.calendar import IST, load_calendar
from libs.market.facts import Fact, facts_of
from libs.market.own_rules import own_rule_errors, use_own_rules
from libs.market.rulebook import load_rulebook
from libs.runtime.settings import SettingsError, rules_folder
from services.local.commands.options import DEFAULT_CONFIG, Config, settings_unchecked
from services.local.screen import console, notify
from services.local.settings import LocalSettings

rules_app = typer.Typer(no_args_is_help=True)
On = Annotated[
    str | None, typer.Option("--on", help="Day, such as 2026-08-03. [default: today in India]")
]


@rules_app.callback()
def rules() -> None:
    """Show the rules of the exchanges that hold on a day, and check how far they are known.

    Example: `alphastocks rules show --on 2026-08-03`
    """


@rules_app.command()
def show(on: On = None, config: Config = None) -> None:
    """Show what holds on a day: value, since when, by which circular, and until when it is known.

    Lots, ticks and expiries of a listed contract come from the broker's list of the day instead.

    Example: `alphastocks rules show --on 2026-08-03`
    """
    day = _day(on)
    settings_unchecked(config)
    table = Table(title=f"Rules on {day:%A %Y-%m-%d}", title_justify="left")
    for column in ("rule", "of", "what holds", "since", "known until", "source"):
        table.add_column(column, overflow="fold")
    for fact in facts_of(day, load_calendar(), load_rulebook()):
        table.add_row(fact.topic, fact.name, *_columns(fact, day))
    console.print(table)


@rules_app.command()
def check(on: On = None, config: Config = None) -> None:
    """Tell what ends within 30 days, is not confirmed, or is wrong in your own files.

    One line each; the exit status is 1 if there is any, else 0.

    Example: `alphastocks rules check`
    """
    day, found = _day(on), _own_errors(config)
    if not found:
        settings_unchecked(config)
    facts = facts_of(day, load_calendar(), load_rulebook())
    doubts = [doubt for fact in facts if (doubt := fact.doubt(day)) is not None]
    for line in (*found, *doubts):
        console.print(line, soft_wrap=True)
    if found or doubts:
        raise typer.Exit(1)
    notify(f"everything is known for {day} and the 30 days after it")


def _columns(fact: Fact, day: date) -> tuple[str, str, str, str]:
    since = "" if fact.since is None else str(fact.since)
    until = "" if fact.until is None else str(fact.until)
    is_stated = fact.since is not None and (fact.until is None or day <= fact.until)
    value = fact.value if is_stated and fact.is_confirmed else f"{fact.value} (not confirmed)"
    return value, since, until, fact.source


def _own_errors(config: Path | None) -> list[str]:
    """Return what is wrong with each file of the folder; the packaged rules alone hold then."""
    file = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    folder = rules_folder(file, LocalSettings)
    errors = [] if folder is None else own_rule_errors(folder)
    if errors:
        use_own_rules(None)
    return errors


def _day(text: str | None) -> date:
    if text is None:
        return datetime.now(UTC).astimezone(IST).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"--on: {text!r} is not a date such as 2026-08-03") from None
