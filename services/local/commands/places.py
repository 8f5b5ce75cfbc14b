"""Folders, files, ports and databases that a command is going to use: checked before the run."""

import os
import re
import tempfile
from pathlib import Path

from libs.runtime.error_line import system_reason
from libs.runtime.http import check_range
from libs.runtime.listening import check_port
from libs.runtime.settings import SettingsError
from services.local.catalogue import START_ORDER
from services.local.settings import LocalSettings


def check_folder(option: str, folder: Path) -> None:
    """Raise SettingsError if a folder cannot be made, or nothing be written in it."""
    ground = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not ground.is_dir():
        raise SettingsError(f"{option}: {folder} cannot be a folder: {ground} is a file")
    try:
        with tempfile.TemporaryFile(dir=ground) as trial:
            trial.write(b"\0")
    except OSError as error:
        reason = error.strerror or error
        raise SettingsError(
            f"{option}: {folder}: nothing can be written in {ground}: {reason}"
        ) from None


def check_file(option: str, file: Path) -> None:
    """Raise SettingsError if a file cannot be written."""
    if file.is_dir():
        raise SettingsError(f"{option}: {file} is a folder, not a file")
    check_folder(option, file.parent)


def check_apart(option: str, file: Path, other: Path) -> None:
    """Raise SettingsError if a file that is written is another one that is used, too."""
    if file.resolve() == other.resolve():
        raise SettingsError(f"{option}: {file} would be overwritten; name another file")


def check_readable(option: str, folder: Path) -> None:
    """Raise SettingsError if a folder is missing or cannot be read."""
    try:
        os.listdir(folder)
    except OSError as error:
        raise SettingsError(f"{option}: {system_reason(error)}") from None


def check_readable_file(option: str, file: Path) -> None:
    """Raise SettingsError if a file is missing or cannot be read."""
    try:
        file.open("rb").close()
    except OSError as error:
        raise SettingsError(f"{option}: {system_reason(error)}") from None


def check_database(name: str | None) -> None:
    """Raise SettingsError for a name that ClickHouse cannot give to a database."""
    if name is not None and not re.fullmatch(r"\w+", name):
        raise SettingsError(f"--database: {name!r} is not a name: letters, digits and _ only")


def check_ports(settings: LocalSettings) -> None:
    """Raise SettingsError if a service could not listen on its port."""
    runtime = settings.runtime
    for entry in START_ORDER:
        port = runtime.port + entry.port_offset
        check_range(runtime.host, port)
        check_port(runtime.host, port, "runtime.port")
