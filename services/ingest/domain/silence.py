"""Tells a dead connection from a quiet market."""

from dataclasses import dataclass

LONGEST_MS = 60_000


@dataclass(slots=True)
class Silence:
    """For how long a connection's ticks were no news; times are monotonic ms.

    Neither heartbeats are news nor what a new subscription repeats. A connection that stays silent
    is replaced; the next one is given twice the time, up to LONGEST_MS, so that replacing backs off
    while the exchange or the line has halted.
    """

    _heard_ms: int | None = None
    """When news came last, or was expected first."""
    _replaced: int = 0

    def heard(self, now_ms: int) -> None:
        """Note news."""
        self._heard_ms, self._replaced = now_ms, 0

    def excused(self, unseen_ms: int, now_ms: int) -> None:
        """Leave out a time in which news would not have been noticed."""
        if self._heard_ms is not None:
            self._heard_ms = min(now_ms, self._heard_ms + unseen_ms)

    def replaced(self) -> None:
        """Note that the connection is replaced."""
        self._replaced = min(self._replaced + 1, 16)

    def is_silent(self, now_ms: int, patience_ms: int) -> bool:
        """Whether news is missing, on this connection and before; with a patience of 0 it never is.

        The time begins when news is expected for the first time.
        """
        if not patience_ms or self._heard_ms is None:
            self.heard(now_ms)
        return 0 < patience_ms <= self.age_ms(now_ms)

    def is_dead(self, now_ms: int, patience_ms: int, open_ms: int) -> bool:
        """Whether a connection that has been open for so long is to be replaced now."""
        most_ms = min(patience_ms << self._replaced, LONGEST_MS)
        return self.is_silent(now_ms, patience_ms) and min(open_ms, self.age_ms(now_ms)) >= most_ms

    def age_ms(self, now_ms: int) -> int:
        """Return how long ago news came, or was expected first."""
        return 0 if self._heard_ms is None else now_ms - self._heard_ms
