"""The state folder of `up`: which market it holds, and beginning anew."""

import json
import shutil
from datetime import date
from pathlib import Path
from typing import NamedTuple

from libs.runtime.settings import SettingsError
from libs.servers.folder import is_locked
from services.local.play.database import SERVER_FOLDER

MARKET = "market.json"
PARTS = ("journal", "simulator", SERVER_FOLDER, "kafka")
"""The folders in which `up` keeps its state."""


class Wanted(NamedTuple):
    """The market that the options name; None where they leave it to the state, or the default."""

    day: date | None = None
    seed: int | None = None


def seed_of(folder: Path, wanted: int | None, default: int) -> int:
    """Return the seed of the folder's market, and note it; SettingsError if another is wanted."""
    held = _held_seed(folder / MARKET)
    if held is not None and wanted not in (None, held):
        raise SettingsError(
            f"--seed: {folder} holds the market of seed {held}; leave --seed out to go on with it, "
            f"or pass --fresh to begin anew with seed {wanted}"
        )
    seed = next(one for one in (held, wanted, default) if one is not None)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKET).write_text(json.dumps({"seed": seed}), "utf-8")
    return seed


def check_day(folder: Path, wanted: date | None, resumed: date) -> None:
    """Raise SettingsError if the folder's state goes on with another day than the wanted one."""
    if wanted not in (None, resumed):
        raise SettingsError(
            f"--date: {folder} goes on with {resumed}; leave --date out to go on with it, "
            f"or pass --fresh to begin anew on {wanted}"
        )


def begin_anew(folder: Path) -> None:
    """Remove the state in a folder; SettingsError while another process uses it."""
    parts = [folder / name for name in PARTS if (folder / name).is_dir()]
    for part in parts:
        if (part / "lock").exists() and is_locked(part / "lock"):
            raise SettingsError(f"--fresh: {folder} is in use by another alphastocks: stop it")
    try:
        for part in parts:
            shutil.rmtree(part)
        (folder / MARKET).unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(f"--fresh: {error.filename}: {error.strerror}") from None


def _held_seed(file: Path) -> int | None:
    try:
        return int(json.loads(file.read_text("utf-8"))["seed"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise SettingsError(f"--var: {file} cannot be read; pass --fresh to begin anew") from None
