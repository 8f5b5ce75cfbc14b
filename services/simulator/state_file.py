"""The file that keeps the account over restarts."""

import json
import os
from pathlib import Path
from typing import Any

from libs.runtime.settings import SettingsError


class StateFile:
    """An account's dump as JSON, replaced atomically."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, Any] | None:
        """Return the dump, or None if there is no file; raises SettingsError for any other file."""
        try:
            state = json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            raise self.unusable() from None
        if not isinstance(state, dict):
            raise self.unusable()
        return state

    def write(self, state: dict[str, Any]) -> None:
        """Replace the dump; raises SettingsError if the file cannot be written."""
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(state), "utf-8")
            draft.replace(self._path)
        except OSError as error:
            raise SettingsError(f"simulator.state: {self._path}: {error.strerror}") from None

    def unusable(self) -> SettingsError:
        """Return the error for a file that holds no account."""
        return SettingsError(f"simulator.state: {self._path} holds no account; move it away")
