"""How volatility and volume are spread over the seconds of a trading day: high, low, high."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from libs.market.arrays import FloatArray, IntArray
from libs.market.calendar import Session

_SECOND_MS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class SessionShape:
    """The seconds of a day's sessions, arrays of one length.

    `at_ms` is each second in epoch ms, `deviation` the share of the day's standard deviation in
    that second (squares sum to 1), `volume` its share of the day's volume (sums to 1) and
    `volume_passed` the share traded by its end.
    """

    at_ms: IntArray
    deviation: FloatArray
    volume: FloatArray
    volume_passed: FloatArray

    def __len__(self) -> int:
        return self.at_ms.size

    @property
    def variance_time(self) -> FloatArray:
        """Share of the day's variance passed by the end of each second."""
        return np.cumsum(self.deviation**2)

    def volume_passed_at(self, at_ms: int) -> float:
        """Share of the day's volume traded by a time: 0 before the open, 1 from the close on."""
        seconds = int(np.searchsorted(self.at_ms, at_ms, side="right"))
        return float(self.volume_passed[seconds - 1]) if seconds else 0.0


def session_shape(sessions: Sequence[Session]) -> SessionShape:
    """Shape of a day with at least one session; raises ValueError for a closed day."""
    if not sessions:
        raise ValueError("a closed day has no shape")
    at_ms = np.concatenate([np.arange(s.open_ms, s.close_ms, _SECOND_MS) for s in sessions])
    passed = np.arange(at_ms.size) / at_ms.size
    deviation = _smile(passed, 0.75, 1.3, 0.5)
    volume = _smile(passed, 0.6, 2.4, 2.0)
    volume /= volume.sum()
    return SessionShape(
        at_ms=at_ms.astype(np.int64),
        deviation=deviation / np.sqrt(np.sum(deviation**2)),
        volume=volume,
        volume_passed=np.minimum(np.cumsum(volume), 1.0),
    )


def _smile(passed: FloatArray, middle: float, opening: float, closing: float) -> FloatArray:
    """Curve over the day's share passed, with extra at both ends that decays inwards."""
    curve = middle + opening * np.exp(-passed / 0.07) + closing * np.exp((passed - 1) / 0.06)
    return np.asarray(curve, np.float64)
