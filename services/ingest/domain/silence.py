"""Tells a dead connection from a quiet market."""

from dataclasses import dataclass

WITH_INDEX_MS, WITHOUT_INDEX_MS = 2_500, 30_000
"""An index is quoted each second of a session; shares and options alone may be quiet for longer."""
LONGEST_MS = 60_000


@dataclass(slots=True)
class Silence:
    """How long there was no tick in a session; times are monotonic ms.

    Heartbeats are no ticks. A connection that stays silent is replaced; the next one is given twice
    the time, up to LONGEST_MS: where all are silent, the exchange or the line has halted.
    """

    patience_ms: int
    _since_ms: int | None = None
    _replaced: int = 0

    def heard(self, now_ms: int) -> None:
        """Note that ticks have come."""
        self._since_ms, self._replaced = now_ms, 0

    def is_too_long(self, now_ms: int, *, is_open: bool) -> bool:
        """Whether the connection is to be replaced now; outside of sessions never."""
        if not is_open or self._since_ms is None:
            self._since_ms, self._replaced = now_ms, 0
            return False
        if now_ms - self._since_ms < min(self.patience_ms << self._replaced, LONGEST_MS):
            return False
        self._since_ms, self._replaced = now_ms, min(self._replaced + 1, 16)
        return True

    @property
    def is_halt(self) -> bool:
        """Whether a new connection was as silent as the one before."""
        return self._replaced > 1
