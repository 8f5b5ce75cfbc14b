"""When the market's next second is due, at a speed that may change and with pauses."""

_SECOND_MS = 1000


class Pacing:
    """When each market second is due on the wall clock; times are monotonic ms.

    Late seconds are caught up, since each is due by the count of those before it.
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._played = 0
        self._since_ms: float | None = None
        self.is_paused = False

    @property
    def speed(self) -> float:
        """Market seconds in one of the wall."""
        return self._speed

    def wait_ms(self, now_ms: float) -> float:
        """Return how long the next second is to be waited for; 0 if it is due."""
        if self._since_ms is None:
            self._since_ms = now_ms
        due_ms = self._since_ms + (self._played + 1) * _SECOND_MS / self._speed
        return max(0.0, due_ms - now_ms)

    def played(self) -> None:
        """Count a second."""
        self._played += 1

    def set_speed(self, speed: float) -> None:
        """Go on at another speed from now."""
        self._speed = speed
        self._begin_anew()

    def pause(self) -> None:
        """Let no second be due until `resume`."""
        self.is_paused = True

    def resume(self) -> None:
        """Go on from now; the pause is not caught up."""
        self.is_paused = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._since_ms, self._played = None, 0
