"""The `alphastocks` command."""

import typer

from services.local.command import main as main  # noqa: PLC0414  the command, by this name too
from services.local.commands.cluster import lag, topics_app
from services.local.commands.control import halt, leave, mode, resume, state, token
from services.local.commands.demo import demo
from services.local.commands.deploy import secrets
from services.local.commands.events import dlq_app, tail
from services.local.commands.login import login
from services.local.commands.migrate import migrate
from services.local.commands.replay import replay
from services.local.commands.simulator import simulator
from services.local.commands.up import up

app = typer.Typer(
    name="alphastocks",
    help="Market data into candles, candles into signals, signals into option trades.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for command in (
    *(demo, replay, up, simulator, login, migrate),
    *(secrets, lag, tail, halt, resume, mode),
):
    app.command()(command)
app.command(name="exit")(leave)
app.command()(state)
app.command()(token)
app.add_typer(topics_app, name="topics")
app.add_typer(dlq_app, name="dlq")


if __name__ == "__main__":
    main()
