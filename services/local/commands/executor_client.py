"""Which executor a command means, and requests to its control endpoints."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from libs.runtime.direct import DIRECT
from libs.runtime.error_line import system_reason
from libs.runtime.settings import SettingsError
from services.local.control_file import (
    STATE_FOLDERS,
    Control,
    control_of,
    running_controls,
)

TOKEN = "ALPHASTOCKS_CONTROL_TOKEN"  # noqa: S105  a variable's name
TOKEN_FILE = f"{TOKEN}_FILE"
URL = "ALPHASTOCKS_CONTROL_URL"
DEFAULT_URL = "http://127.0.0.1:8101"
"""Where the executor is when the settings name no other place."""
_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Executor:
    """The address of an executor, and a token for it."""

    url: str
    token: str = field(repr=False)

    def ask(self, action: str, reason: str | None, **more: str | int | None) -> Any:
        """Send a request and return its reply; without a reason it only reads.

        Raises SettingsError if the request fails.
        """
        body = None if reason is None else json.dumps({"reason": reason, **more}).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/control/{action}", body, headers)  # noqa: S310  see `checked_url`
        try:
            with DIRECT.open(request, timeout=_SECONDS) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            if 300 <= error.code < 400:
                elsewhere = "it sends the request elsewhere, and that is no executor"
                raise SettingsError(f"{action}: {self.url}: {elsewhere}") from None
            if error.code == 404:
                none = "it has no control endpoints: name tokens in [executor] control"
                raise SettingsError(f"{action}: {self.url}: {none}") from None
            raise SettingsError(f"{action}: {self.url}: {detail_of(error)}") from None
        except (OSError, ValueError, HTTPException) as error:
            silent = f"no answer from the executor at {self.url}, which may be starting"
            raise SettingsError(f"{action}: {silent}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """Return why a request has no answer, in the words of the system where it has some."""
    within = getattr(error, "reason", error)  # of a URLError
    return system_reason(within) if isinstance(within, OSError) else str(within)


def chosen_executor(url: str | None, var: Path | None) -> Executor:
    """Return the executor that the options or the environment name, or else the one that runs here.

    A state folder is the strongest; then the token of the environment, at `url` or the default
    address. Without either it is the only `up` that runs under `var/`. Raises SettingsError when
    there is none, or more than one.
    """
    token = None if var else token_of_environment()
    if token:
        return Executor(checked_url(url or DEFAULT_URL), token)
    found = _running(var)
    at_url = [one for one in found if url is None or one.url == url.rstrip("/")]
    if len(at_url) == 1:
        return Executor(at_url[0].url, at_url[0].token)
    raise SettingsError(_none(url, var, found) if not at_url else _several(at_url))


def executor_with_token(url: str | None, needed: str) -> Executor:
    """Return the executor that the environment's token is for; SettingsError without a token.

    `needed` is the scope: the own token of an `up` does not have it.
    """
    token = token_of_environment()
    if not token:
        raise SettingsError(
            f"this needs a token of scope {needed}: `alphastocks token NAME --scope {needed}` "
            f"makes one; set it in {TOKEN}, or its file in {TOKEN_FILE}"
        )
    return Executor(checked_url(url or DEFAULT_URL), token)


def token_of_environment() -> str:
    """Return the token of the environment, empty without one; SettingsError for a bad file."""
    file = os.environ.get(TOKEN_FILE)
    if not file:
        return os.environ.get(TOKEN, "")
    try:
        token = Path(file).read_text().strip()
    except OSError as error:
        raise SettingsError(f"{TOKEN_FILE}: {file}: {error.strerror}") from None
    if not token:
        raise SettingsError(f"{TOKEN_FILE}: {file}: the file is empty")
    return token


def _running(var: Path | None) -> Sequence[Control]:
    if var is None:
        return running_controls()
    control = control_of(var)
    return [] if control is None else [control]


def _none(url: str | None, var: Path | None, found: Sequence[Control]) -> str:
    if found:
        return f"--url: no `alphastocks up` runs at {url}, but {_named(found)}; leave --url out"
    where = str(var) if var else f"a folder under {STATE_FOLDERS}/"
    return (
        f"no `alphastocks up` runs with {where}: name its folder by --var, or set {TOKEN} and "
        f"{URL} for another executor; for a stack on Docker: `make halt`, `make state`"
    )


def _several(found: Sequence[Control]) -> str:
    return f"several run: {_named(found)}; choose one by --var FOLDER"


def _named(found: Sequence[Control]) -> str:
    return ", ".join(f"{one.folder} at {one.url}" for one in found)


def checked_url(url: str) -> str:
    """Return an address without a slash at its end; SettingsError for anything else."""
    if not _is_address(url):
        raise SettingsError(f"--url: {url!r} is no address such as {DEFAULT_URL}")
    return url.rstrip("/")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an invalid port or bracket
        return False


def detail_of(error: urllib.error.HTTPError) -> str:
    """Return the status of a reply that is an error, and what it says."""
    try:
        return f"{error.code} {json.load(error)['detail']}"
    except (ValueError, KeyError, TypeError):
        return str(error)
