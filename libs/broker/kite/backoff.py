"""Exponential backoff with jitter."""

from random import SystemRandom

_random = SystemRandom()


class Backoff:
    """Seconds to wait before the next retry: doubled up to a cap, less a jitter of up to half."""

    def __init__(self, first_seconds: float = 0.5, most_seconds: float = 30.0) -> None:
        self._first_seconds = first_seconds
        self._most_seconds = most_seconds
        self._seconds = first_seconds

    def next_seconds(self) -> float:
        """Return the next wait in seconds."""
        seconds = self._seconds
        self._seconds = min(self._most_seconds, 2 * seconds)
        return seconds * _random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Start again with the first wait, after a success."""
        self._seconds = self._first_seconds
