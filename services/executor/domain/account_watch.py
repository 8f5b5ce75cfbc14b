"""Compares the account with our books, and says what is to be done about a difference.

It is read at the start, each minute, after each reconnect, and again soon after a difference was
seen, since only two reads in a row decide.
"""

from dataclasses import dataclass, field

from services.executor.domain.commands import ReadAccount
from services.executor.domain.reconciliation import (
    AccountSnapshot,
    Finding,
    OurContract,
    Reconciler,
    Unconfirmed,
)

EVERY_MS = 60_000
AGAIN_MS = 1_500
"""How soon a difference is looked at again; the reconciler wants a second in between."""
OVERDUE_MS = 30_000
"""A read whose reply does not come is not awaited for longer."""


@dataclass(slots=True)
class AccountWatch:
    """When the account is read; `reconciler` has what was found.

    Where the market is played faster than the machine's time, `pace` is how much: the times between
    two reads are the machine's, since the broker limits requests by it.
    """

    reconciler: Reconciler = field(default_factory=Reconciler)
    pace: float = 1.0
    _due_ms: int = 0
    _asked_ms: int | None = None
    _reconnects: int = 0
    _fails: int = 0

    def due(self, now_ms: int, reconnects: int) -> tuple[ReadAccount, ...]:
        """Return a read of the account if one is due; `reconnects` counts those of the venue."""
        if reconnects != self._reconnects:
            self._reconnects, self._due_ms = reconnects, now_ms
        is_asked = self._asked_ms is not None and now_ms - self._asked_ms < self._scaled(OVERDUE_MS)
        if is_asked or now_ms < self._due_ms:
            return ()
        self._asked_ms = now_ms
        return (ReadAccount(),)

    def soon(self, now_ms: int) -> None:
        """Let the account be read as soon as possible."""
        self._due_ms = min(self._due_ms, now_ms)

    def on_unread(self, now_ms: int) -> None:
        """Note that the account could not be read; it is tried again, less and less often."""
        self._fails += 1
        self._asked_ms = None
        self._due_ms = now_ms + self._scaled(min(EVERY_MS, AGAIN_MS << min(self._fails - 1, 6)))

    def on_snapshot(
        self, snapshot: AccountSnapshot, ours: tuple[OurContract, ...], now_ms: int
    ) -> tuple[Finding, ...]:
        """Compare; return what was found, and plan the next read."""
        self._asked_ms, self._fails = None, 0
        found = self.reconciler.on_snapshot(snapshot, ours, now_ms)
        is_open = any(isinstance(one, Unconfirmed) for one in found)
        self._due_ms = now_ms + self._scaled(AGAIN_MS if is_open else EVERY_MS)
        return found

    def _scaled(self, span_ms: int) -> int:
        return round(span_ms * max(1.0, self.pace))
