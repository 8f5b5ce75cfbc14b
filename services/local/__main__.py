"""The `alphastocks` command."""

from typing import Annotated

import typer

from libs.runtime.version import VERSION
from services.local.command import main as main  # noqa: PLC0414  the command, by this name too
from services.local.commands.backtest import backtest
from services.local.commands.backup import backup, restore
from services.local.commands.chain import chain
from services.local.commands.cluster import lag, topics_app
from services.local.commands.compare import compare
from services.local.commands.control import arm, disarm, halt, leave, mode, resume
from services.local.commands.demo import demo
from services.local.commands.deploy import secrets
from services.local.commands.doctor import doctor
from services.local.commands.events import dlq_app, tail
from services.local.commands.explain import explain
from services.local.commands.flatten import flatten
from services.local.commands.login import login
from services.local.commands.migrate import migrate
from services.local.commands.reconcile import reconcile
from services.local.commands.regret import regret
from services.local.commands.replay import replay
from services.local.commands.report import report
from services.local.commands.rules import rules_app
from services.local.commands.signals import signals
from services.local.commands.simulator import simulator
from services.local.commands.state import state
from services.local.commands.strategies import strategies_app
from services.local.commands.token import token
from services.local.commands.up import up
from services.local.commands.verify_day import verify_day

app = typer.Typer(
    name="alphastocks",
    help="Market data into candles, candles into signals, signals into option trades.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"alphastocks {VERSION}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
]


@app.callback()
def alphastocks(version: Version = False) -> None:
    """Take the options that stand before a command."""


for command in (
    *(demo, replay, backtest, up, simulator, login, doctor, migrate),
    *(compare, backup, restore, secrets, lag, tail, halt, resume, arm, disarm, mode),
):
    app.command()(command)
app.command(name="exit")(leave)
app.command()(state)
app.command()(reconcile)
app.command()(flatten)
app.command()(signals)
app.command()(explain)
app.command()(chain)
app.command()(regret)
app.command()(report)
app.command()(verify_day)
app.command()(token)
app.add_typer(topics_app, name="topics")
app.add_typer(dlq_app, name="dlq")
app.add_typer(strategies_app, name="strategies")
app.add_typer(rules_app, name="rules")


if __name__ == "__main__":
    main()
