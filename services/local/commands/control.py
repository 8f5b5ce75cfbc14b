"""`alphastocks halt`, `resume`, `mode`, `exit`, `state` and `token`: control of the executor."""

import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, Any, get_args
from urllib.parse import urlsplit

import typer

from libs.events.control import ChangeableMode
from libs.runtime.access import Scope, hash_of, new_token
from libs.runtime.settings import RuntimeSettings, SettingsError
from services.local import screen
from services.local.catalogue import entry_of

TOKEN = "ALPHASTOCKS_CONTROL_TOKEN"  # noqa: S105  a variable's name
TOKEN_FILE = f"{TOKEN}_FILE"
_PORT = RuntimeSettings().port + entry_of("executor").port_offset
DEFAULT_URL = f"http://127.0.0.1:{_PORT}"
_SECONDS = 20.0

Url = Annotated[
    str, typer.Option("--url", envvar="ALPHASTOCKS_CONTROL_URL", help="The executor's address.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why; stored with the event.")]


def halt(reason: Reason = "", url: Url = DEFAULT_URL) -> None:
    """Open no new position until `resume`, also after a restart; exits go on.

    The token is read from ALPHASTOCKS_CONTROL_TOKEN, or from the file that
    ALPHASTOCKS_CONTROL_TOKEN_FILE names.

    Example: `alphastocks halt --reason "news at noon"`
    """
    _ask(url, "halt", reason)
    screen.console.print("Trading is halted: no position is opened. `alphastocks resume` lifts it.")


def resume(reason: Reason = "", url: Url = DEFAULT_URL) -> None:
    """Allow new positions again.

    Example: `alphastocks resume`
    """
    _ask(url, "resume", reason)
    screen.console.print("Trading goes on.")


def mode(
    to: Annotated[str, typer.Argument(metavar="MODE", help="disabled, logging_only or paper")],
    reason: Reason = "",
    url: Url = DEFAULT_URL,
) -> None:
    """Change the mode for the signals that follow; open positions stay watched.

    It holds over restarts, until it is changed again or the settings name another mode. Live
    trading cannot be switched on here.

    Example: `alphastocks mode logging_only`
    """
    if to not in get_args(ChangeableMode):
        raise SettingsError(f"MODE: {to!r} is none of {', '.join(get_args(ChangeableMode))}")
    _ask(url, "mode", reason, mode=to)
    screen.console.print(f"The mode is {to}.")


def leave(
    reason: Reason = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Close every open position at the market price; `halt` first so that no new one is opened.

    Example: `alphastocks exit --reason "end of the test"`
    """
    if not yes:
        typer.confirm("Close every open position now?", abort=True)
    answer = _ask(url, "exit", reason)
    screen.console.print(f"Exits requested: {answer['positions']}.")


def state(url: Url = DEFAULT_URL) -> None:
    """Show whether trading is halted, and how many positions are open.

    Example: `alphastocks state`
    """
    now = _ask(url, "state", None)
    halted = now["halted_because"]
    shown = f"halted ({halted})" if halted else "not halted"
    screen.console.print(f"mode {now['mode']}, {shown}, {now['open_positions']} positions open")


def token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its owner, for the audit trail.")],
    scope: Annotated[str, typer.Option("--scope", help="read, operate or trade")] = "operate",
) -> None:
    """Make a token for the control endpoints; it is shown once, and only its hash is stored.

    Example: `alphastocks token asha --scope operate`
    """
    scopes: tuple[Scope, ...] = ("read", "operate", "trade")
    if scope not in scopes:
        raise SettingsError(f"--scope: {scope!r} is none of {', '.join(scopes)}")
    made = new_token()
    kept = f'{{ name = "{name}", scope = "{scope}", sha256 = "{hash_of(made)}" }}'
    screen.console.print(f"The token, shown this once:\n  {made}", soft_wrap=True)
    screen.console.print("In the settings file of the executor:", soft_wrap=True)
    screen.console.print(f"  [executor]\n  control = {{ tokens = [{kept}] }}", soft_wrap=True)


def _ask(url: str, action: str, reason: str | None, **more: str) -> dict[str, Any]:
    """Send a request to the executor and return its reply; raise SettingsError if it fails."""
    body = None if reason is None else json.dumps({"reason": reason, **more}).encode()
    headers = {"Authorization": f"Bearer {_token()}", "Content-Type": "application/json"}
    if not _is_address(url):
        raise SettingsError(f"--url: {url!r} is no address such as {DEFAULT_URL}")
    request = urllib.request.Request(f"{url}/control/{action}", body, headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as reply:  # noqa: S310
            answer: dict[str, Any] = json.load(reply)
            return answer
    except urllib.error.HTTPError as error:
        raise SettingsError(f"{action}: {url}: {_detail(error)}") from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"{action}: no answer from the executor at {url}: {error}") from None


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an invalid port or bracket
        return False


def _detail(error: urllib.error.HTTPError) -> str:
    if error.code == 404:
        return "it has no control endpoints: name tokens in [executor] control"
    try:
        return f"{error.code} {json.load(error)['detail']}"
    except (ValueError, KeyError, TypeError):
        return str(error)


def _token() -> str:
    file = os.environ.get(TOKEN_FILE)
    if not file:
        found = os.environ.get(TOKEN, "")
    else:
        try:
            found = Path(file).read_text().strip()
        except OSError as error:
            raise SettingsError(f"{TOKEN_FILE}: {file}: {error.strerror}") from None
    if not found:
        raise SettingsError(
            f"no token: set {TOKEN}, or {TOKEN_FILE}; `alphastocks token` makes one"
        )
    return found
