"""Stand-ins for Java and Maven: shell scripts on the PATH."""

import os
from pathlib import Path

import pytest


class Programs:
    """A folder at the head of the PATH."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch
        monkeypatch.delenv("JAVA_HOME", raising=False)
        monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)

    def write(self, name: str, script: str) -> None:
        """Make a program."""
        program = self._folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o700)

    def write_java(self, script: str = "", version: str = "17.0.15") -> None:
        """Make a `java` that says its version, and else does as the script says."""
        said = f"""echo 'openjdk version "{version}" 2025-04-15' >&2"""
        self.write("java", f'[ "$1" = -version ] && {{ {said}; exit 0; }}\n{script}')

    def hide_others(self) -> None:
        """Leave nothing else on the PATH."""
        self._monkeypatch.setenv("PATH", str(self._folder))
