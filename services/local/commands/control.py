"""`alphastocks halt`, `resume`, `arm`, `disarm`, `mode` and `exit`: control of the executor.

They are for a hurry, so this file imports little.
"""

from datetime import time
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
    to: Annotated[
        str, typer.Argument(metavar="MODE", help="disabled, logging_only, paper or live")
    ],
    reason: Reason = "",
    url: Url = None,
) -> None:
    """Change the mode for the signals that follow; open positions stay watched.

    It holds over restarts, until it is changed again or the settings name another mode. Live can be
    taken up again where the settings say live, and nowhere else; it has to be armed anew. It needs
    a token of scope `trade`, which the own token of `up` does not have.

    Example: `alphastocks mode logging_only`
    """
    if to not in get_args(ChangeableMode):
        raise SettingsError(f"MODE: {to!r} is none of {', '.join(get_args(ChangeableMode))}")
    executor = executor_with_token(url, "trade")
    ask(executor, None, "mode", reason, mode=to)
    screen.console.print(f"The mode is {to} at {executor.url}.", soft_wrap=True)


def arm(
    until: Annotated[str, typer.Option("--until", help="A time of today in India, 15:30 say.")],
    lots_a_trade: Annotated[
        int | None, typer.Option("--lots-a-trade", min=1, help="Lots of a trade at most.")
    ] = None,
    trades: Annotated[
        int | None, typer.Option("--trades", min=1, help="Positions that it may open at most.")
    ] = None,
    reason: Reason = "",
    url: Url = None,
) -> None:
    """Let the executor, in mode live, send entries until a time of today.

    Every check of `alphastocks doctor` must be well, and books and account agree. It ends at its
    time, with its last trade, by `disarm`, on any quarantine, and when another process takes over;
    it is restored after a restart. Exits, stops and reconciliation need none. The first time a
    sentence has to be typed. It needs a token of scope `trade`.

    Example: `alphastocks arm --until 15:30 --lots-a-trade 1 --trades 5`
    """
    at = _time_of_day(until)
    executor = executor_with_token(url, "trade")
    sentence = ask(executor, None, "state", None)["arming"]["sentence"]
    if sentence:
        screen.console.print(f"The first time, type this: {sentence}", soft_wrap=True)
        sentence = typer.prompt("Sentence")
    limits = {"trades": trades, "lots_a_trade": lots_a_trade}
    ask(executor, None, "arm", reason, until=at, sentence=sentence, **limits)
    screen.console.print(
        f"Live entries may be sent until {until} at {executor.url}. `disarm` ends it.",
        soft_wrap=True,
    )


def disarm(reason: Reason = "", var: Var = None, url: Url = None) -> None:
    """Send no live entry any more, and cancel those that work; exits and stops go on.

    Example: `alphastocks disarm --reason "news at noon"`
    """
    executor = chosen_executor(url, var)
    ask(executor, var, "disarm", reason)
    screen.console.print(f"No live entry is sent any more at {executor.url}.", soft_wrap=True)


def _time_of_day(text: str) -> str:
    try:
        return time.fromisoformat(text).replace(tzinfo=None).isoformat()
    except ValueError:
        raise SettingsError(f"--until: {text!r} is not a time such as 15:30") from None


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
    executor: Executor, var: Path | None, action: str, reason: str | None, **more: str | int | None
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
