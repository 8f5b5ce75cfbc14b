"""Keeps a running executor from sending orders while the account is closed.

By a file beside the session, which each executor reads that uses this session; and by the control
endpoint, where one answers. Both hold for half a minute and are renewed: who dies leaves nobody
without a guard for long.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from libs.runtime.flattening import Flattening, beside, read_flattening, write_flattening

LEASE_MS = 30_000
RENEW_MS = 10_000
FIRST_SECONDS = 3.0
"""How long the answer of an executor is awaited before the first round."""

Ask = Callable[[], str]
"""Asks an executor to stand down, and returns what to say of it; from a thread of its own."""


@dataclass(slots=True)
class Fence:
    """Holds from `hold` to `release`; `wall_ms` is the time of day (epoch ms)."""

    session_file: Path
    run: str
    by: str
    ask: Ask
    tell: Callable[[str], None]
    wall_ms: Callable[[], int]
    _held_ms: int | None = None
    _said: set[str] = field(default_factory=set)
    _asking: threading.Thread | None = None

    def hold(self, first_seconds: float = FIRST_SECONDS) -> None:
        """Hold, or renew what is held; at first wait so long for an executor's answer."""
        now_ms, is_first = self.wall_ms(), self._held_ms is None
        if self._held_ms is not None and now_ms - self._held_ms < RENEW_MS:
            return
        self._held_ms = now_ms
        self._write(now_ms + LEASE_MS)
        if self._asking is None or not self._asking.is_alive():
            self._asking = threading.Thread(target=self._ask, daemon=True)
            self._asking.start()
        if is_first:
            self._asking.join(first_seconds)

    def release(self) -> None:
        """Let an executor send orders again, if no other run holds it; entries stay halted."""
        now_ms, found = self.wall_ms(), read_flattening(beside(self.session_file))
        is_anothers = found is not None and found.run != self.run and found.holds(now_ms)
        if self._held_ms is not None and not is_anothers:
            self._write(now_ms)

    def _write(self, until_ms: int) -> None:
        try:
            write_flattening(beside(self.session_file), Flattening(self.run, self.by, until_ms))
        except OSError as error:
            self._say(f"an executor cannot be held off by a file: {error.strerror}: stop it")

    def _ask(self) -> None:
        self._say(self.ask())

    def _say(self, line: str) -> None:
        """Say something once."""
        if line not in self._said:
            self._said.add(line)
            self.tell(line)
