"""Standing down: while `alphastocks flatten` closes the account, the executor sends no order.

It is told by a file beside the session, or by the control endpoint; both hold for a while only, so
that a flatten that dies leaves nobody unguarded for long. Afterwards entries stay halted.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from libs.events.control import TradingHalted
from libs.events.event import Event
from libs.runtime.clock import Clock, WallClock, monotonic_ms
from libs.runtime.flattening import Flattening, read_flattening
from libs.runtime.halts import halt
from libs.runtime.logs import logger_of

RETRY_MS = 2000
"""How often an order that waits is looked at again."""


@dataclass(slots=True)
class StandDown:
    """Whether orders are held back, and why. Without a file only the control endpoint can say so.

    `wall_ms` is the machine's time of day (epoch ms), `now_ms` monotonic.
    """

    file: Path | None = None
    wall_ms: Callable[[], int] = field(default_factory=lambda: WallClock().now_ms)
    now_ms: Callable[[], int] = monotonic_ms
    _until_ms: int = 0
    _halts: set[UUID] = field(default_factory=set)
    _read_ms: int = -1_000
    _read: Flattening | None = None

    def for_seconds(self, seconds: float) -> None:
        """Hold orders back for so long from now on."""
        self._until_ms = max(self._until_ms, self.now_ms() + int(1000 * seconds))

    @property
    def reason(self) -> str:
        """Why no order is sent now, empty if one may be."""
        if self.now_ms() < self._until_ms:
            return "a flatten is closing the account"
        found = self._flattening()
        if found is None or not found.holds(self.wall_ms()):
            return ""
        return f"{found.by} is flattening the account"

    def note(self, event: Event) -> None:
        """Note a halt of before a restart: it is not made again."""
        if isinstance(event, TradingHalted):
            self._halts.add(event.event_id)

    def due_halt(self, clock: Clock) -> TradingHalted | None:
        """Return the halt of entries after a flatten began, once; later its file is removed."""
        found = self._flattening()
        if found is None:
            return None
        halted = halt(clock, found.reason, "flatten", found.run)
        if halted.event_id not in self._halts:
            self._halts.add(halted.event_id)
            logger_of("executor").error("the account is flattened", reason=found.reason)
            return halted
        if not found.holds(self.wall_ms()):
            self._remove(found)
        return None

    def _remove(self, over: Flattening) -> None:
        """Remove the file of a flatten that is over; where that is not allowed it stays.

        It stays too if another flatten has begun since it was read.
        """
        self._read = None if self.file is None else read_flattening(self.file)
        if self.file is not None and self._read == over:
            self._read = None
            try:
                self.file.unlink(missing_ok=True)
            except OSError as error:
                logger_of("executor").warning("a file stays", reason=str(error))

    def _flattening(self) -> Flattening | None:
        """Return what the file says, read at most five times a second."""
        if self.file is not None and self.now_ms() - self._read_ms >= 200:
            self._read_ms, self._read = self.now_ms(), read_flattening(self.file)
        return self._read
