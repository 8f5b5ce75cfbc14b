"""The `alphastocks` command in this process, as a user would call it."""

import json
from pathlib import Path
from typing import Any

import pytest

from libs.store.store import StoreAddress
from services.local.__main__ import main


def alphastocks(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run the command and return its exit status."""
    monkeypatch.setattr("sys.argv", ["alphastocks", *(str(argument) for argument in arguments)])
    with pytest.raises(SystemExit) as exit_:
        main()
    code = exit_.value.code
    return code if isinstance(code, int) else 0


def settings_file(folder: Path, address: StoreAddress, more: str = "") -> Path:
    """Write a settings file that names a server, and return it."""
    file = folder / "alphastocks.toml"
    file.write_text(
        f'[store]\nhost = "{address.host}"\nport = {address.port}\nuser = "{address.user}"\n'
        f'password = "{address.password}"\ndatabase = "{address.database}"\n{more}'
    )
    return file


def summary_of(out: Path) -> dict[str, Any]:
    """Return the summary of a run."""
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return summary


def events_of(out: Path, name: str) -> list[dict[str, Any]]:
    """Return the events of one of the outcome's files."""
    return [json.loads(line) for line in (out / name).read_text().splitlines()]
