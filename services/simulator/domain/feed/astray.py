"""How the frames of a connection go astray: kept back, late, repeated or in another order."""

from collections.abc import Sequence

from services.simulator.domain.faults.kinds import Freeze, Lag, Reorder, Silence


class Astray:
    """What becomes of a connection's frames of ticks; times in seconds of the machine."""

    def __init__(self) -> None:
        self._quiet_until = self._frozen_until = self._lags_until = 0.0
        self._lag = 0.0
        self._last: Sequence[bytes] = ()
        self._kept: Sequence[bytes] = ()
        self._swaps = 0

    def begin(self, fault: Silence | Lag | Freeze | Reorder, now: float) -> None:
        """Let a fault hold from now on."""
        match fault:
            case Silence(seconds=seconds):
                self._quiet_until = now + seconds
            case Lag(seconds=late, lasts=lasts):
                self._lag, self._lags_until = late, now + lasts
            case Freeze(seconds=seconds):
                self._frozen_until = now + seconds
            case Reorder(times=times):
                self._swaps = times

    def delay(self, now: float) -> float:
        """Return how late frames are sent now."""
        return self._lag if now < self._lags_until else 0.0

    def sent(self, frames: Sequence[bytes], now: float) -> Sequence[bytes]:
        """Return what is sent in the place of a second's frames."""
        if now < self._quiet_until:
            return ()
        if now < self._frozen_until:
            return self._last
        self._last = frames or self._last
        if self._kept:
            swapped, self._kept = (*frames, *self._kept), ()
            return swapped
        if self._swaps and frames:
            self._swaps, self._kept = self._swaps - 1, frames
            return ()
        return frames
