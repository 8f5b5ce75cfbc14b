"""The control file of a running `up`: the address of its executor, and a token that it admits.

A lock tells whether the `up` still runs: a kill leaves the file, not the lock. What writes the
file at the start is in `own_control.py`; a command that only reads it imports no service.
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from libs.private_files import write_private
from libs.runtime.settings import SettingsError
from libs.servers.folder import is_locked

STATE_FOLDERS = Path("var")
"""Where the state folders of `up` are, unless --var names another one."""
FILE, LOCK = "control.json", "control.lock"


@dataclass(frozen=True, slots=True)
class Control:
    """A running `up`: its state folder, the address of its executor, and its token.

    `waits_for` is what has to come before the executor runs, "" for nothing.
    """

    folder: Path
    url: str
    token: str = field(repr=False)
    waits_for: str = ""


def note_wait(folder: Path, waits_for: str) -> None:
    """Note in the file of this process what it waits for, "" for nothing; OSError if it cannot."""
    control = control_of(folder)
    if control is not None:
        write_control(replace(control, waits_for=waits_for))


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


def write_control(control: Control) -> None:
    """Write the file, readable by its owner alone; OSError if it cannot be."""
    held = {"url": control.url, "token": control.token, "waits_for": control.waits_for}
    write_private(control.folder / FILE, json.dumps(held))
