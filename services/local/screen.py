"""Output to the terminal: progress, tables, messages."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from libs.events.event import utc_from_ms
from libs.events.topics import TOPICS
from libs.market.calendar import IST, Session
from libs.market.rupees import grouped, rupees
from libs.runtime.shown import shown

WIDE = 150
"""Columns when the output is no terminal, so that a log keeps whole lines."""
LONGEST_LIST = 10
"""Most lines of a list in a summary."""


class PlainConsole(Console):
    """Prints text as it is: no markup, no emoji, and no control character that a terminal obeys."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text with its control characters visible."""
        return super().render_str(shown(text), **options)


errors = PlainConsole(stderr=True)
console = PlainConsole()
if not console.is_terminal:
    console.width = WIDE


def notify(message: str) -> None:
    """Print a message to standard error."""
    errors.print(message, soft_wrap=True)


@contextmanager
def session_progress(what: str, session: Session) -> Iterator[Callable[[int], None]]:
    """Show how far the feed's time is in the session, on a terminal only."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[at]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    length = session.close_ms - session.open_ms
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as progress:
        task = progress.add_task(what, total=length, at="")

        def on_frame(at_ms: int) -> None:
            if not errors.is_terminal:
                return
            at = utc_from_ms(at_ms).astimezone(IST).strftime("%H:%M:%S")
            progress.update(task, completed=min(at_ms - session.open_ms, length), at=at)

        yield on_frame


@contextmanager
def counted_progress(what: str, count: int) -> Iterator[Callable[[], None]]:
    """Show how many of `count` are done, on a terminal only; call what is yielded after each."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as progress:
        task = progress.add_task(what, total=count)
        yield lambda: progress.advance(task)


@contextmanager
def counted_requests(what: str) -> Iterator[Callable[[int], Callable[[], None]]]:
    """As `counted_progress`, where the number is known later: it is what is yielded's argument."""
    with ExitStack() as stack:
        yield lambda count: stack.enter_context(counted_progress(what, count))


def show_summary(title: str, summary: Mapping[str, Any], whole: str = "") -> None:
    """Print the figures of a run as a table; `whole` says where a list that is cut is complete."""
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column("what")
    table.add_column("figure", justify="right", overflow="fold")
    for name, value in _lines(summary, whole):
        table.add_row(name, value)
    console.print(table)


def _lines(summary: Mapping[str, Any], whole: str) -> Iterator[tuple[str, str]]:
    for name, value in summary.items():
        label = name.replace("_", " ")
        if isinstance(value, Mapping):
            yield label, figure(sum(value.values()))
            yield from ((f"  {key.replace('_', ' ')}", figure(item)) for key, item in value.items())
        elif isinstance(value, tuple):
            yield label, figure(len(value))
            yield from (("", str(item)) for item in value[:LONGEST_LIST])
            if left := value[LONGEST_LIST:]:
                yield "", f"… and {grouped(len(left))} more{f', in {whole}' if whole else ''}"
        else:
            yield label, figure(value)


def figure(value: object) -> str:
    """Return a figure as text: counts and rupees (Decimal) grouped, seconds (float) rounded."""
    if isinstance(value, Decimal):
        return rupees(value)
    if isinstance(value, float):
        return f"{value:,.2f}"
    return grouped(value) if isinstance(value, int) else str(value)


def show_topics() -> None:
    """Print the table of topics."""
    table = Table(title="Topics", title_justify="left")
    for column in ("topic", "events", "key", "partitions", "kept", "written by", "read by"):
        table.add_column(column, no_wrap=column == "topic", overflow="fold")
    for topic in TOPICS.values():
        days = f"{topic.retention_ms // 86_400_000} d" if topic.retention_ms else "for ever"
        table.add_row(
            topic.name,
            ", ".join(event.model_fields["type"].default for event in topic.events),
            topic.key,
            str(topic.partitions),
            "last per key" if topic.is_compacted else days,
            ", ".join(topic.written_by),
            ", ".join(topic.read_by),
        )
    console.print(table)
