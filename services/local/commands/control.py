"""`alphastocks halt`, `resume`, `mode` and `exit`: control of the executor.

They are for a hurry, so this file imports little.
"""

from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from libs.events.control import Action, ChangeableMode
from libs.runtime.settings import SettingsError
from services.local import screen
from services.local.commands.executor_client import (
    DEFAULT_URL,
    URL,
    Executor,
    chosen_executor,
    executor_with_token,
)
from services.local.control_file import control_of, running_controls

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar=URL,
        help=f"The executor's address. [default: the `up` that runs; with a token {DEFAULT_URL}]",
    ),
]
Var = Annotated[Path | None, typer.Option("--var", help="State folder of the `up` that is meant.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; stored with the event.")]


def halt(
    reason: Reason = "",
    square_off: Annotated[
        bool, typer.Option("--square-off", help="Close every open position too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    var: Var = None,
    url: Url = None,
) -> None:
    """Open no new position until `resume`, also after a restart, and cancel entries that work.

    Exits go on. With --square-off every open position is closed as well: nothing stays that can
    open or lose.

    It finds the `up` that runs here. For another executor the token is read from
    ALPHASTOCKS_CONTROL_TOKEN, or from the file that ALPHASTOCKS_CONTROL_TOKEN_FILE names.

    Example: `alphastocks halt --reason "news at noon"`
    """
    executor = chosen_executor(url, var)
    if square_off and not yes:
        typer.confirm(f"Halt, and close every open position at {executor.url} now?", abort=True)
    answer = ask(executor, var, "halt", reason, square_off=square_off)
    leaving = f" Exits requested: {answer['positions']}." if square_off else ""
    screen.console.print(
        f"Trading is halted at {executor.url}: no position is opened.{leaving} `resume` lifts it.",
        soft_wrap=True,
    )


def resume(reason: Reason = "", var: Var = None, url: Url = None) -> None:
    """Allow new positions again, whoever halted: a person, or a message that was set aside.

    Example: `alphastocks resume`
    """
    executor = chosen_executor(url, var)
    ask(executor, var, "resume", reason)
    screen.console.print(f"Trading goes on at {executor.url}.", soft_wrap=True)


def mode(
    to: Annotated[str, typer.Argument(metavar="MODE", help="disabled, logging_only or paper")],
    reason: Reason = "",
    url: Url = None,
) -> None:
    """Change the mode for the signals that follow; open positions stay watched.

    It holds over restarts, until it is changed again or the settings name another mode. Live
    trading cannot be switched on here. It needs a token of scope `trade`, which the own token of
    `up` does not have.

    Example: `alphastocks mode logging_only`
    """
    if to not in get_args(ChangeableMode):
        raise SettingsError(f"MODE: {to!r} is none of {', '.join(get_args(ChangeableMode))}")
    executor = executor_with_token(url, "trade")
    ask(executor, None, "mode", reason, mode=to)
    screen.console.print(f"The mode is {to} at {executor.url}.", soft_wrap=True)


def leave(
    reason: Reason = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    var: Var = None,
    url: Url = None,
) -> None:
    """Close every open position at the market price; `halt` first so that no new one is opened.

    Example: `alphastocks exit --reason "end of the test"`
    """
    executor = chosen_executor(url, var)
    if not yes:
        typer.confirm(f"Close every open position at {executor.url} now?", abort=True)
    answer = ask(executor, var, "exit", reason)
    screen.console.print(
        f"Exits requested at {executor.url}: {answer['positions']}.", soft_wrap=True
    )


def ask(
    executor: Executor, var: Path | None, action: str, reason: str | None, **more: str | bool
) -> Any:
    """Ask an executor; where its `up` waits and runs no service, the error says for what."""
    try:
        return _checked(executor, action, executor.ask(action, reason, **more))
    except SettingsError:
        found = running_controls() if var is None else [control_of(var)]
        for one in found:
            if one is not None and one.url == executor.url and one.waits_for:
                waits = f"the `up` on {one.folder} waits for {one.waits_for}"
                raise SettingsError(f"{action}: {waits}") from None
        raise


def _checked(executor: Executor, action: str, answer: Any) -> Any:
    """Return an answer that confirms a request to act; SettingsError for any other."""
    if action in get_args(Action) and action != "state":
        is_confirmed = isinstance(answer, dict) and answer.get("action") == action
        if not is_confirmed or not isinstance(answer.get("positions"), int):
            raise SettingsError(
                f"{action}: {executor.url} answers, but does not confirm it: it may be no "
                "executor; look at `alphastocks state`"
            )
    return answer
