"""`alphastocks strategies`: which there are, what one takes, a new one, and a trial of one."""

from inspect import getdoc
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo
from rich.table import Table

from libs.strategy.parameters import parameters_of
from libs.strategy.strategy import Strategy
from services.local.commands.options import Config, settings_unchecked
from services.local.screen import console, notify
from services.local.strategy_files.own_tests import own_tests
from services.local.strategy_files.template import write_template
from services.local.strategy_files.trial import Check, trial
from services.strategy.domain.registry import KnownStrategies, class_of
from services.strategy.finding import DEFAULT_FOLDER, known_strategies, strategies_in

strategies_app = typer.Typer(no_args_is_help=True)
Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder", help="Folder of strategy files. [default: that of the settings, or strategies]"
    ),
]
File = Annotated[Path, typer.Argument(metavar="FILE", help="The strategy's file.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The strategy's name.")]


def known_of(folder: Path | None, config: Path | None) -> KnownStrategies:
    """Return the strategies of a folder, or of the settings' one, beside the installed ones."""
    if folder is None:
        folder = settings_unchecked(config).strategy.folder
    return known_strategies(folder)


@strategies_app.callback()
def strategies() -> None:
    """Show which strategies there are and what one takes; write a new one, and try it.

    Example: `alphastocks strategies new my_strategy`
    """


@strategies_app.command("list")
def show_list(folder: Folder = None, config: Config = None) -> None:
    """List all strategies: built in, of installed packages, and of a folder.

    Example: `alphastocks strategies list`
    """
    known = known_of(folder, config)
    table = Table(title="Strategies", title_justify="left")
    for column in ("name", "interval", "history", "what it does", "from"):
        table.add_column(column, overflow="fold")
    for name, one in sorted(known.classes.items()):
        history = str(one.history_needed)
        table.add_row(name, str(one.interval), history, summary_of(one), known.sources[name])
    console.print(table)
    for source, reason in known.broken.items():
        notify(f"not usable: {source}: {reason}")


@strategies_app.command()
def show(name: Name, folder: Folder = None, config: Config = None) -> None:
    """Show what a strategy does, and its parameters with their bounds.

    Example: `alphastocks strategies show ma_crossover`
    """
    one = class_of(name, known_of(folder, config))
    table = Table(title=f"Parameters of {name}", title_justify="left")
    for column in ("parameter", "default", "type", "bounds"):
        table.add_column(column, overflow="fold")
    model = parameters_of(one)
    for field_name, field in model.model_fields.items():
        default = "required" if field.is_required() else str(field.default)
        table.add_row(field_name, default, _type(field), _bounds(field))
    console.print(f"{name}: {getdoc(one) or 'it has no description'}\n")
    if model.model_fields:
        console.print(table)
    else:
        console.print("It takes no parameters.")
    console.print(f"\nTry it: alphastocks backtest --strategy {name} --candles FILE --out DIR")


@strategies_app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, such as my_strategy.")],
    folder: Annotated[Path, typer.Option("--folder", help="Where to write it.")] = DEFAULT_FOLDER,
) -> None:
    """Write a strategy that works, and a test of it, for you to change.

    Example: `alphastocks strategies new my_strategy`
    """
    strategy, test = write_template(name, folder)
    console.print(f"wrote {strategy} and {test}")
    console.print(f"edit it, then: alphastocks strategies test {strategy}")


@strategies_app.command()
def test(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The strategy's file.")],
) -> None:
    """Try a strategy on generated candles, and run the tests beside it; status 1 if one fails.

    Example: `alphastocks strategies test strategies/my_strategy.py`
    """
    failed = 0
    for one in strategies_in(file):
        table = Table(title=f"{one.name}, of {file}", title_justify="left")
        for column in ("check", "", "seen"):
            table.add_column(column, overflow="fold")
        for check in (*trial(one), *own_tests(file)):
            _add(table, check)
            failed += not check.is_right
        console.print(table)
    if failed:
        notify(f"{failed} checks failed")
        raise typer.Exit(1)
    example = (
        f"alphastocks backtest --strategy {strategies_in(file)[0].name} --folder {file.parent}"
    )
    console.print(f"all is well. Next: {example} --candles FILE --out DIR")


def _add(table: Table, check: Check) -> None:
    table.add_row(check.what, "ok" if check.is_right else "FAILED", check.seen)


def summary_of(strategy_class: type[Strategy]) -> str:
    """Return the first line of a strategy's description."""
    return (getdoc(strategy_class) or "").partition("\n")[0]


def _type(field: FieldInfo) -> str:
    annotation: Any = field.annotation
    if get_origin(annotation) is Literal:
        return ", ".join(str(value) for value in get_args(annotation))
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _bounds(field: FieldInfo) -> str:
    words = {"ge": "from", "gt": "above", "le": "up to", "lt": "below"}
    found = {key: getattr(one, key) for one in field.metadata for key in words if hasattr(one, key)}
    return ", ".join(f"{words[key]} {value}" for key, value in found.items())
