"""What was traded in the last seconds: the reference of limit price protection."""

from collections import deque

from libs.market.arrays import FloatArray, IntArray
from services.simulator.domain.feed.tape import Tape

SECONDS = 30


class RecentTrades:
    """Turnover and volume of the last seconds, one note of the tape each second."""

    def __init__(self) -> None:
        self._notes: deque[tuple[FloatArray, IntArray]] = deque(maxlen=SECONDS + 1)

    def note(self, tape: Tape) -> None:
        """Take what was traded until now."""
        self._notes.append(tape.traded())

    def average(self, row: int) -> float:
        """Average price of the last seconds' trades in rupees; 0 if there were none."""
        if not self._notes:
            return 0.0
        (turnover, volume), (turnover_before, volume_before) = self._notes[-1], self._notes[0]
        units = int(volume[row] - volume_before[row])
        return float(turnover[row] - turnover_before[row]) / units if units > 0 else 0.0
