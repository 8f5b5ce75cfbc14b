"""A running `up` opens its control: a new token for its executor, in a file of its folder.

The token is new at each start, so one that leaked is worthless after the next; only its hash goes
to the executor.
"""

import fcntl
import ipaddress
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from libs.runtime.access import AccessToken, Scope, hash_of, new_token
from libs.runtime.reading import ReadingSettings
from libs.runtime.settings import RuntimeSettings, SettingsError
from services.local.catalogue import entry_of
from services.local.control_file import FILE, LOCK, Control, write_control
from services.local.settings import LocalSettings

OWNER = "local"
"""Name of the token in the audit trail."""
SCOPE: Scope = "operate"
_OWNER_ONLY = 0o600
_LOCK_TRIES, _LOCK_SECONDS = 10, 0.02
"""Who looks whether it is locked holds the lock for a moment."""


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
        write_control(Control(folder, executor_url(settings.runtime), token))
        try:
            yield _admitting(settings, token)
        finally:
            (folder / FILE).unlink(missing_ok=True)
    finally:
        os.close(lock)


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

    The services that are read admit it too, if they ask for tokens.
    """
    own = AccessToken(name=OWNER, scope=SCOPE, sha256=hash_of(token))
    control, signal, position = settings.executor.control, settings.signal, settings.position
    control = control.model_copy(update={"tokens": (*control.tokens, own)})
    return settings.model_copy(
        update={
            "executor": settings.executor.model_copy(update={"control": control}),
            "signal": signal.model_copy(update=_readable(signal.reading, own)),
            "position": position.model_copy(update=_readable(position.reading, own)),
        }
    )


def _readable(reading: ReadingSettings, own: AccessToken) -> dict[str, ReadingSettings]:
    if not reading.tokens:
        return {}
    return {"reading": reading.model_copy(update={"tokens": (*reading.tokens, own)})}


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
