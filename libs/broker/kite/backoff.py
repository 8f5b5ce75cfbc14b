"""Waiting longer each time, never quite the same for two who wait."""

from random import SystemRandom

_random = SystemRandom()


class Backoff:
    """Seconds to wait before the next try: doubling up to a cap, with up to half taken off."""

    def __init__(self, first_seconds: float = 0.5, most_seconds: float = 30.0) -> None:
        self._first_seconds = first_seconds
        self._most_seconds = most_seconds
        self._seconds = first_seconds

    def next_seconds(self) -> float:
        """Return how long to wait now; the next time it will be longer."""
        seconds = self._seconds
        self._seconds = min(self._most_seconds, 2 * seconds)
        return seconds * _random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Begin anew, after something went well."""
        self._seconds = self._first_seconds
