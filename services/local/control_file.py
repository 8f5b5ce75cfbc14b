"""The control file of a running `up`: the address of its executor, and a token that it admits.

The token is new at each start, so one that leaked is worthless after the next; only its hash goes
to the executor. A lock tells whether the `up` still runs: a kill leaves the file, not the lock.
"""

import fcntl
import ipaddress
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from libs.private_files import write_private
from libs.runtime.access import AccessToken, Scope, hash_of, new_token
from libs.runtime.settings import RuntimeSettings, SettingsError
from libs.servers.folder import is_locked
from services.local.catalogue import entry_of
from services.local.settings import LocalSettings

STATE_FOLDERS = Path("var")
"""Where the state folders of `up` are, unless --var names another one."""
FILE, LOCK = "control.json", "control.lock"
OWNER = "local"
"""Name of the token in the audit trail."""
SCOPE: Scope = "operate"
_OWNER_ONLY = 0o600
_LOCK_TRIES, _LOCK_SECONDS = 10, 0.02
"""Who looks whether it is locked holds the lock for a moment."""


@dataclass(frozen=True, slots=True)
class Control:
    """A running `up`: its state folder, the address of its executor, and its token.

    `waits_for` is what has to come before the executor runs, "" for nothing.
    """

    folder: Path
    url: str
    token: str = field(repr=False)
    waits_for: str = ""


@contextmanager
def own_control(settings: LocalSettings, folder: Path) -> Iterator[LocalSettings]:
    """Yield settings whose executor admits a new token; the file holds it until the end.

    Raises SettingsError if another `up` uses the folder, or if it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, _OWNER_ONLY)
    except OSError as error:
        raise SettingsError(f"--var: {error.filename}: {error.strerror}") from None
    try:
        if not _locked_soon(lock):
            raise SettingsError(
                f"{folder} is in use by another alphastocks: stop it, or name another folder"
            )
        token = new_token()
        _write(Control(folder, executor_url(settings.runtime), token))
        try:
            yield _admitting(settings, token)
        finally:
            (folder / FILE).unlink(missing_ok=True)
    finally:
        os.close(lock)


def note_wait(folder: Path, waits_for: str) -> None:
    """Note in the file of this process what it waits for, "" for nothing; OSError if it cannot."""
    control = control_of(folder)
    if control is not None:
        _write(replace(control, waits_for=waits_for))


def running_controls() -> list[Control]:
    """Return every `up` that runs with a state folder under `var/`."""
    folders = (STATE_FOLDERS, *sorted(STATE_FOLDERS.glob("*/")))
    found = (control_of(folder) for folder in folders)
    return [one for one in found if one is not None]


def control_of(folder: Path) -> Control | None:
    """Return the `up` that runs with this state folder, None without one.

    Raises SettingsError for a file that cannot be read.
    """
    try:
        if not is_locked(folder / LOCK):
            return None
        held = json.loads((folder / FILE).read_text("utf-8"))
        return Control(folder, held["url"], held["token"], held.get("waits_for", ""))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SettingsError(f"{error.filename}: {error.strerror}: another user's?") from None
    except (ValueError, KeyError, TypeError):
        raise SettingsError(f"{folder / FILE}: it is damaged; restart its `up`") from None


def is_running(folder: Path) -> bool:
    """Return whether an `up` runs with this state folder."""
    try:
        return is_locked(folder / LOCK)
    except OSError:
        return False


def executor_url(runtime: RuntimeSettings) -> str:
    """Return the address at which this machine reaches the executor of an `up`."""
    return f"http://{_reachable(runtime.host)}:{runtime.port + entry_of('executor').port_offset}"


def _reachable(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return host if address.version == 4 else f"[{host}]"


def _admitting(settings: LocalSettings, token: str) -> LocalSettings:
    """Return settings whose executor admits the token beside those that they name.

    The signal service admits it too, if it asks for tokens.
    """
    own = AccessToken(name=OWNER, scope=SCOPE, sha256=hash_of(token))
    control, reading = settings.executor.control, settings.signal.reading
    control = control.model_copy(update={"tokens": (*control.tokens, own)})
    if reading.tokens:
        reading = reading.model_copy(update={"tokens": (*reading.tokens, own)})
    return settings.model_copy(
        update={
            "executor": settings.executor.model_copy(update={"control": control}),
            "signal": settings.signal.model_copy(update={"reading": reading}),
        }
    )


def _write(control: Control) -> None:
    held = {"url": control.url, "token": control.token, "waits_for": control.waits_for}
    write_private(control.folder / FILE, json.dumps(held))


def _locked_soon(descriptor: int) -> bool:
    """Lock an open file, also if it is free only in a moment."""
    for _ in range(_LOCK_TRIES):
        if _locked(descriptor):
            return True
        time.sleep(_LOCK_SECONDS)
    return _locked(descriptor)


def _locked(descriptor: int) -> bool:
    """Lock an open file until it is closed; return False if another process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
