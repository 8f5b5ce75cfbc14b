"""What a person sees."""

import io
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import typer
import typer.core
import typer.main
from rich.console import Console
from rich.table import Table
from typer.testing import CliRunner

from libs.market.calendar import load_calendar
from libs.runtime.settings import SettingsError
from services.local import screen
from services.local.__main__ import app
from services.local.commands.demo import demo

SESSION = load_calendar().sessions("NSE", date(2026, 6, 17))[0]


def named(group: typer.core.TyperGroup, before: str = "") -> Iterator[str]:
    """Yield the names of all commands, of those in groups with the group's."""
    for name, command in group.commands.items():
        yield f"{before}{name}"
        if isinstance(command, typer.core.TyperGroup):
            yield from named(command, f"{before}{name} ")


ALL = typer.main.get_command(app)
assert isinstance(ALL, typer.core.TyperGroup)
COMMANDS = tuple(named(ALL))


@pytest.mark.parametrize(("is_terminal", "is_shown"), [(True, True), (False, False)])
def test_progress_is_shown_on_a_terminal_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, is_shown: bool
) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=is_terminal, width=100)
    monkeypatch.setattr(screen, "errors", console)
    with screen.session_progress("demo 2026-06-17", SESSION) as on_frame:
        on_frame(SESSION.open_ms + 3_600_000)
        on_frame(SESSION.close_ms + 3_600_000)
    assert ("demo 2026-06-17" in stream.getvalue()) == is_shown
    assert ("16:30:00" in stream.getvalue()) == is_shown


def test_a_summary_names_every_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(screen, "console", Console(file=stream, width=100))
    summary = {
        "ticks": 1_234_567,
        "ticks_rejected": {"late": 2, "bad_price": 3},
        "history_gaps": ("2026-06-08: no ticks",),
        "net_pnl": Decimal("-123456.785"),
        "elapsed_seconds": 41.23456,
        "sha256": "ab" * 32,
    }
    screen.show_summary("Demo", summary)
    shown = stream.getvalue()
    figures = ("12,34,567", "ticks rejected", "5", "bad price", "2026-06-08: no ticks", "ab" * 32)
    assert all(figure in shown for figure in ("-₹1,23,456.79", " 41.23 ")), shown
    assert all(figure in shown for figure in figures), shown


def test_of_a_long_list_the_first_lines_are_shown_and_where_the_others_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(screen, "console", Console(file=stream, width=100))
    gaps = tuple(f"day {number}: no ticks" for number in range(1, 31))
    screen.show_summary("Demo", {"history_gaps": gaps}, "var/demo/")
    shown = stream.getvalue()
    assert "day 10: no ticks" in shown
    assert "day 11: no ticks" not in shown
    assert "… and 20 more, in var/demo/" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_each_command_shows_an_example(name: str) -> None:
    result = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "120"})
    assert result.exit_code == 0
    assert "Example:" in result.output
    assert f"alphastocks {name}" in result.output.split("Example:")[1]


def test_the_help_without_a_command_lists_them_all() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert len(COMMANDS) >= 40
    assert all(name.split()[0] in result.output for name in COMMANDS)


def test_topics_are_shown_with_who_writes_and_who_reads() -> None:
    result = CliRunner().invoke(app, ["topics"])
    assert result.exit_code == 0
    assert "exit_requests" in result.output


@pytest.mark.parametrize("out", ["file", "file/under/it"])
def test_an_output_folder_that_cannot_be_created_is_refused_before_the_run(
    tmp_path: Path, out: str
) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(SettingsError, match=r"--out: .*file"):
        demo(out=tmp_path / out)
    assert (tmp_path / "file").read_text() == "not a folder"


BRACKETS = "[executor] [bold]x[/bold] [/red] :warning: {a}"


@pytest.mark.parametrize("name", ["console", "errors"])
def test_text_with_brackets_or_colons_is_shown_as_it_is(name: str) -> None:
    console: Console = getattr(screen, name)
    table = Table("column")
    table.add_row(BRACKETS)
    with console.capture() as capture:
        console.print(BRACKETS, soft_wrap=True)
        console.print(table)
    assert capture.get().count(BRACKETS) == 2


def test_progress_shows_its_description_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=200)
    monkeypatch.setattr(screen, "errors", console)
    with screen.session_progress(BRACKETS, SESSION) as on_frame:
        on_frame(SESSION.open_ms)
    assert isinstance(console.file, io.StringIO)
    assert BRACKETS in console.file.getvalue()


def test_every_console_is_one_of_the_two_that_show_text_as_it_is() -> None:
    sources = [*Path("services").rglob("*.py"), *Path("libs").rglob("*.py")]
    made = {str(file) for file in sources if "Console(" in file.read_text()}
    assert made == {"services/local/screen.py"}
