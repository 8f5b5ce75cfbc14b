"""Tells a dead connection from a quiet market."""

from dataclasses import dataclass

WITH_INDEX_MS, WITHOUT_INDEX_MS = 2_500, 30_000
"""An index is quoted each second of a session; shares and options alone may be quiet for longer."""
LONGEST_MS = 60_000


@dataclass(slots=True)
class Silence:
    """For how long no tick was news; times are monotonic ms.

    Neither heartbeats are news nor what a new subscription repeats. A connection that stays silent
    is replaced; the next one is given twice the time, up to LONGEST_MS: where all are silent, the
    exchange or the line has halted.
    """

    _since_ms: int | None = None
    _looked_ms: int = 0
    _replaced: int = 0

    def heard(self, now_ms: int) -> None:
        """Note news."""
        self._since_ms, self._looked_ms, self._replaced = now_ms, now_ms, 0

    def is_too_long(self, now_ms: int, patience_ms: int) -> bool:
        """Whether the connection is to be replaced now; with a patience of 0 nothing is expected.

        After a time without any frame the connection is a new one, and its time begins anew.
        """
        was_away = now_ms - self._looked_ms >= WITH_INDEX_MS
        self._looked_ms = now_ms
        if not patience_ms or self._since_ms is None:
            self._since_ms, self._replaced = now_ms, 0
            return False
        if was_away:
            self._since_ms = now_ms
        if now_ms - self._since_ms < min(patience_ms << self._replaced, LONGEST_MS):
            return False
        self._since_ms, self._replaced = now_ms, min(self._replaced + 1, 16)
        return True

    @property
    def is_halt(self) -> bool:
        """Whether a new connection was as silent as the one before."""
        return self._replaced > 1
