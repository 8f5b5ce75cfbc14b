"""The file by which `alphastocks flatten` keeps an executor of the session from sending orders.

It lies beside the session's file: who trades by that session sees it. It is a lease: it holds until
its time, and who wrote it renews it. Afterwards it stays, until an executor has read that it was
flattened and has halted entries.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from libs.private_files import write_private

FILE = "flattening.json"
LONGEST_MS = 60_000
"""No lease is longer: one that seems to be is of a clock that was set back."""


@dataclass(frozen=True, slots=True)
class Flattening:
    """A flatten: its own id, who runs it, and until when nobody else sends orders (epoch ms)."""

    run: str
    by: str
    until_ms: int

    def holds(self, now_ms: int) -> bool:
        """Whether it goes on at a time of the machine (epoch ms)."""
        return 0 < self.until_ms - now_ms <= LONGEST_MS

    @property
    def reason(self) -> str:
        """Why entries are halted."""
        return f"flattened by {self.by}"


def beside(session_file: Path) -> Path:
    """Return the place of the file."""
    return session_file.with_name(FILE)


def write_flattening(file: Path, flattening: Flattening) -> None:
    """Write the file; OSError if it cannot be."""
    write_private(file, json.dumps(asdict(flattening)))


def read_flattening(file: Path) -> Flattening | None:
    """Return what the file says, None without one that can be read."""
    try:
        held = json.loads(file.read_text("utf-8"))
        return Flattening(str(held["run"]), str(held["by"]), int(held["until_ms"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
