"""`alphastocks explain`: the whole story of a signal, and why it was or was not traded."""

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlencode

import typer
from pydantic import ValidationError
from rich.table import Table

from libs.events.errors import JournalBusy
from libs.events.story.finding import NoStory
from libs.events.story.story import Story
from libs.events.story.telling import Section, StoryTold, told
from libs.runtime.direct import DIRECT
from libs.runtime.settings import SettingsError
from services.local import screen
from services.local.commands.executor_client import Executor, detail_of
from services.local.commands.options import trading_day
from services.local.commands.signals import signal_service
from services.local.explain.asked import Asked
from services.local.explain.reading import JOURNAL, story_in_folder, story_in_journal

_SECONDS = 60.0
DEFAULT_VAR = Path("var/up")


def explain(
    word: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Of a signal, order, position or fill, or its beginning; or a tradingsymbol.",
        ),
    ],
    date: Annotated[
        str | None, typer.Option("--date", help="Trading day of a symbol. [default: the latest]")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the outcome of a replay or demo.")
    ] = None,
    var: Annotated[
        Path | None, typer.Option("--var", help="State folder of the `up` that is meant.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url", help="The signal service's address. [default: of the `up` that runs]"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all events.")] = False,
) -> None:
    """Tell the story of a signal, from its candle to its last fill, or why it was not traded.

    With --out it reads the files of a replay or demo; else it asks the `up` that runs here, or
    reads the journal of one that does not run.

    Example: `alphastocks explain "NIFTY 50" --out var/demo`
    """
    if not word.strip():
        raise SettingsError(f"ID: {word!r} is empty: name a signal, order, position or symbol")
    asked = Asked(word, None if date is None else trading_day(date))
    try:
        story = _story(asked, out, var, url)
    except NoStory as error:
        raise SettingsError(f"ID: {error}") from None
    if as_json:
        screen.console.print(story.model_dump_json(indent=2), soft_wrap=True)
        return
    show(story)


def _story(asked: Asked, out: Path | None, var: Path | None, url: str | None) -> StoryTold:
    if out is not None:
        return told(story_in_folder(out, asked))
    standing = (var or DEFAULT_VAR) / JOURNAL
    try:
        service = signal_service(url, var)
    except SettingsError as error:
        if url is not None or not standing.is_dir():
            raise SettingsError(f"{error}; or name an outcome's folder: --out") from None
        return told(_in_journal(standing.parent, asked))
    return _asked_of(service, asked)


def _in_journal(var: Path, asked: Asked) -> Story:
    try:
        return asyncio.run(story_in_journal(var, asked))
    except JournalBusy as error:
        raise SettingsError(f"--var: {error}") from None


def _asked_of(service: Executor, asked: Asked) -> StoryTold:
    """Return what the signal service replies; SettingsError if it does not."""
    day = "" if asked.day is None else f"?{urlencode({'day': asked.day.isoformat()})}"
    url = f"{service.url}/explain/{quote(asked.word, safe='')}{day}"
    headers = {"Authorization": f"Bearer {service.token}"} if service.token else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  the address is checked
    try:
        with DIRECT.open(request, timeout=_SECONDS) as reply:
            return StoryTold.model_validate(json.load(reply))
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise NoStory(detail_of(error).removeprefix("404 ")) from None
        raise SettingsError(f"explain: {service.url}: {detail_of(error)}") from None
    except (OSError, ValueError, ValidationError) as error:
        silent = f"no answer from the signal service at {service.url}"
        raise SettingsError(f"explain: {silent}: {error}; or name a folder: --out") from None


def show(story: StoryTold) -> None:
    """Print a story: its summary, then section by section."""
    screen.console.print(story.summary, soft_wrap=True)
    for section in story.sections:
        screen.console.print(f"\n{section.title}", style="bold")
        for line in section.lines:
            screen.console.print(line, soft_wrap=True)
        if section.rows:
            screen.console.print(_table(section))


def _table(section: Section) -> Table:
    table = Table(*section.columns)
    for row in section.rows:
        table.add_row(*row)
    return table
