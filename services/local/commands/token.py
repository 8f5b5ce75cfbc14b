"""`alphastocks token`: a token for the control endpoints."""

import json
from typing import Annotated

import typer

from libs.runtime.access import LONGEST_NAME, SCOPES, hash_of, new_token
from libs.runtime.settings import SettingsError
from services.local import screen


def token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its owner, for the audit trail.")],
    scope: Annotated[str, typer.Option("--scope", help="read, operate or trade")] = "operate",
) -> None:
    """Make a token for the control endpoints; it is shown once, and only its hash is stored.

    Example: `alphastocks token asha --scope operate`
    """
    made = new_token()
    pasted = token_setting(name, scope, hash_of(made))
    screen.console.print(f"The token, shown this once:\n  {made}", soft_wrap=True)
    screen.console.print("At the end of the executor's settings file:", soft_wrap=True)
    screen.console.print(pasted, soft_wrap=True)


def token_setting(name: str, scope: str, sha256: str) -> str:
    """Return lines of TOML that admit a token; they may follow those of other tokens.

    Raises SettingsError for a name or scope that the settings would refuse.
    """
    if scope not in SCOPES:
        raise SettingsError(f"--scope: {scope!r} is none of {', '.join(SCOPES)}")
    if not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
        raise SettingsError(f"NAME: {name!r} is not a name of 1 to {LONGEST_NAME} letters")
    quoted = json.dumps(name, ensure_ascii=False)
    header = "[[executor.control.tokens]]"
    return f'{header}\nname = {quoted}\nscope = "{scope}"\nsha256 = "{sha256}"'
