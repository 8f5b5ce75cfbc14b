"""Signals that come before any quote, right after a start: they wait for a second of quotes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from libs.events.signals import SignalGenerated

QUOTED_MS = 1000
"""Within so long after the first tick every followed contract was quoted: a feed begins with what
it knows of each."""
LONGEST_MS = 5_000
"""Without quotes a signal is decided after so long, and refused for want of them."""


@dataclass(slots=True)
class EarlySignals:
    """A signal may wait on the bus while nothing runs, and is handled before the first tick then.

    `is_on` from a start on. Times are epoch ms; the clock of a feed may stand before the first one.
    """

    is_on: bool = False
    _quoted_ms: int = 0
    _since_ms: int = 0
    _waiting: list[SignalGenerated] = field(default_factory=list)

    def holds(self, signal: SignalGenerated) -> bool:
        """Keep a signal that has come before any quote; return whether it was kept."""
        if not self.is_on or self._quoted_ms:
            return False
        self._waiting.append(signal)
        return True

    def on_quotes(self, now_ms: int) -> None:
        """Note that quotes have come."""
        self._quoted_ms = self._quoted_ms or now_ms

    def due(self, now_ms: int) -> Sequence[SignalGenerated]:
        """Take the signals that have waited long enough, in the order in which they came."""
        if not self._waiting:
            return ()
        self._since_ms = self._since_ms or now_ms
        is_quoted = bool(self._quoted_ms) and now_ms - self._quoted_ms >= QUOTED_MS
        if not is_quoted and now_ms - self._since_ms < LONGEST_MS:
            return ()
        taken, self._waiting, self._since_ms = self._waiting, [], 0
        # Without quotes until now the next ones are decided as they come.
        self._quoted_ms = self._quoted_ms or now_ms
        return taken
