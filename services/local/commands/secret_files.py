"""The secrets of a deployment: random, one per file, written once.

Each reader mounts one folder; a file is named after the setting that it sets. The executor's folder
holds only the hash of the operator's token; the token itself is in the operator's folder.
"""

import errno
import json
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from libs.broker.kite.session import KiteSession, session_json
from libs.runtime.access import hash_of, new_token
from libs.runtime.settings import SettingsError
from services.simulator.settings import SimulatorSettings

STORE = "store/store__password"
READER = "grafana/clickhouse_password"
ADMIN = "grafana/admin_password"
OPERATOR = "operator/token"
CONTROL = "control/executor__control"
EXCHANGE = "simulator/simulator__access_token"
SESSION = "simulator-session/session.json"
_BYTES = 24
_FILE_MODE, _FOLDER_MODE = 0o444, 0o755  # containers read as other users; _TOP_MODE protects
_TOP_MODE = 0o700


def write_missing(top: Path) -> list[str]:
    """Write the missing files and return their names; raise SettingsError if one cannot be written.

    A secret that is derived from another one is derived from the existing file.
    """
    try:
        top.mkdir(parents=True, mode=_TOP_MODE, exist_ok=True)
        _close(top)
        return [name for name, make in _makers().items() if _is_written(top / name, top, make)]
    except OSError as error:
        raise SettingsError(f"secrets: {error.filename}: {error.strerror}") from None


def _close(top: Path) -> None:
    """Let only the owner into a folder, also where it was there before.

    In a container it may be part of a read-only image, whose mounts are closed outside.
    """
    try:
        top.chmod(_TOP_MODE)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise


def folders_to_write(top: Path) -> list[Path]:
    """Return the folders of the missing files; each may be a mount, and `top` read-only."""
    files = [top / name for name in _makers()]
    return [file.parent for file in files if not file.exists()]


def _makers() -> dict[str, Callable[[Path], str]]:
    return {
        STORE: _password,
        READER: _password,
        ADMIN: _password,
        EXCHANGE: lambda _: secrets.token_hex(_BYTES),
        SESSION: _session,
        OPERATOR: lambda _: new_token(),
        CONTROL: _control,
    }


def _is_written(file: Path, top: Path, make: Callable[[Path], str]) -> bool:
    if file.exists():
        return False
    if not file.parent.exists():
        file.parent.mkdir()
        file.parent.chmod(_FOLDER_MODE)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.write_text(make(top))
    draft.chmod(_FILE_MODE)
    draft.replace(file)
    return True


def _password(_: Path) -> str:
    """Return hexadecimal digits: a command line would take a leading dash for an option."""
    return secrets.token_hex(_BYTES)


def _control(top: Path) -> str:
    """Return the setting that admits the operator's token, by its hash."""
    digest = hash_of((top / OPERATOR).read_text().strip())
    return json.dumps({"tokens": [{"name": "operator", "scope": "trade", "sha256": digest}]})


def _session(top: Path) -> str:
    """Return a session of the simulator's standing token, which never expires."""
    account = SimulatorSettings()
    token = (top / EXCHANGE).read_text().strip()
    login_time = datetime(2000, 1, 1, tzinfo=UTC)  # before any simulated day
    return session_json(KiteSession(account.user_id, account.api_key, token, login_time))
