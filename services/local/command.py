"""The `alphastocks` command from outside: whatever goes wrong is one line and an exit status."""

import sys
from importlib import import_module

import typer
from typer.exceptions import TyperException

from libs.errors import AlphaStocksError
from libs.private_files import keep_private
from libs.runtime.error_line import INTERRUPTED_STATUS, errors_as_one_line

NAME = "alphastocks"
URGENT = {
    "halt": ("control", "halt"),
    "resume": ("control", "resume"),
    "arm": ("control", "arm"),
    "disarm": ("control", "disarm"),
    "mode": ("control", "mode"),
    "exit": ("control", "leave"),
    "state": ("state", "state"),
    "reconcile": ("reconcile", "reconcile"),
    "flatten": ("flatten", "flatten"),
}
"""Commands that do not wait until every service is imported → their file and function."""


class WrongUsage(AlphaStocksError):
    """An option or an argument that the command does not take."""


class NotAnswered(AlphaStocksError):
    """A question that was not answered with yes: nothing was done."""

    exit_status = 1


def main() -> None:
    """Run the command; a wrong input is one line and exit status 2, Ctrl-C one line and 130."""
    keep_private()
    with errors_as_one_line(NAME):
        # All services are imported here: Ctrl-C meanwhile is one line too.
        status = run(_app_for(sys.argv[1:]))
    sys.exit(status)


def _app_for(words: list[str]) -> typer.Typer:
    """Return the whole command, or one that is for a hurry alone."""
    if words and words[0] in URGENT:
        return urgent(words[0])
    from services.local.__main__ import app  # noqa: PLC0415

    return app


def urgent(name: str) -> typer.Typer:
    """Return an app of one command, which imports what that needs."""
    file, function = URGENT[name]
    found = getattr(import_module(f"services.local.commands.{file}"), function)
    app = typer.Typer(
        add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False
    )
    app.callback()(lambda: None)  # so that the name of the one command is expected, too
    app.command(name=name)(found)
    return app


def run(app: typer.Typer) -> int:
    """Run a command in this process and return its exit status; errors are raised."""
    try:
        returned = app(prog_name=NAME, standalone_mode=False)
    except TyperException as error:
        raise _wrong(error) from None
    except typer.Abort as abort:
        raise _unanswered(abort) from None
    if returned == INTERRUPTED_STATUS:  # so typer answers to Ctrl-C
        raise KeyboardInterrupt
    return returned if isinstance(returned, int) else 0


def _wrong(error: TyperException) -> BaseException:
    """Return what is wrong with the words of the command line."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":  # typer has shown the help already
        return SystemExit(error.exit_code)
    path = context.command_path.removeprefix(NAME).strip() if context else ""
    where = f"{path}: " if path else ""
    manual = " ".join(word for word in (NAME, path, "--help") if word)
    return WrongUsage(f"{where}{error.format_message().rstrip('.')}; see `{manual}`")


def _unanswered(abort: typer.Abort) -> BaseException:
    """Return why a question has no answer: Ctrl-C, no input, or a no."""
    if sys.stderr.isatty():
        sys.stderr.write("\n")  # the question has no end of its own
    before = abort.__context__ or abort.__cause__
    if isinstance(before, KeyboardInterrupt):
        return KeyboardInterrupt()
    if isinstance(before, EOFError):
        return NotAnswered(
            "there is no terminal to ask; nothing was done; `--help` shows the option that answers"
        )
    return NotAnswered("nothing was done")
