"""How old the quotes of a file were when they were collected, and which snapshots can be played."""

from dataclasses import dataclass

import numpy as np

from libs.events.event import utc_from_ms
from libs.market.arrays import BoolArray, FloatArray, IntArray
from libs.market.calendar import IST
from services.ingest.recordings.errors import RecordingError
from services.local.recorded_chains.reading import ChainRows, snapshots_of

BUDGET_SECONDS = 150
"""NSE's page shows quotes that are half a minute to two and a half minutes old."""


_STAMP = "%d-%b-%Y %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Ages:
    """Snapshots of a file: `repeated` have the time of an earlier one, `stale` were too old.

    Ages in seconds, from the exchange's stamp to the poll.
    """

    snapshots: int
    repeated: int
    stale: int
    youngest_seconds: float
    oldest_seconds: float


def ages_of(rows: ChainRows) -> Ages:
    """Return what the ages of a file's snapshots are."""
    parts = list(snapshots_of(rows))
    first = np.array([part[0] for part in parts])
    at_ms, age = rows.at_ms[first], (rows.collected_ms - rows.at_ms)[first] / 1000
    return Ages(
        snapshots=len(parts),
        repeated=len(parts) - len(np.unique(at_ms)),
        stale=int(_is_stale(age).sum()),
        youngest_seconds=float(age.min()),
        oldest_seconds=float(age.max()),
    )


def playable(rows: ChainRows) -> list[IntArray]:
    """Return the snapshots that can be played, by time: fresh ones, each time once.

    Raises RecordingError, which says the ages, if all were too old when they were collected.
    """
    parts = list(snapshots_of(rows))
    first = np.array([part[0] for part in parts])
    age = (rows.collected_ms - rows.at_ms)[first] / 1000
    fresh = [part for part, is_stale in zip(parts, _is_stale(age), strict=True) if not is_stale]
    if not fresh:
        stamp = utc_from_ms(int(rows.at_ms.max())).astimezone(IST).strftime(_STAMP)
        raise RecordingError(
            f"{rows.path}: all {len(parts)} snapshots of {rows.underlying} are stale: collected "
            f"{_spoken(age.min())} to {_spoken(age.max())} after {stamp}, "
            f"{BUDGET_SECONDS} s at most"
        )
    by_time: dict[int, IntArray] = {}
    for part in fresh:
        by_time.setdefault(int(rows.at_ms[part[0]]), part)
    return [by_time[at_ms] for at_ms in sorted(by_time)]


def _is_stale(age: FloatArray) -> BoolArray:
    """Whether an age in seconds is beyond the budget, or negative, which is wrong too."""
    return np.asarray((age > BUDGET_SECONDS) | (age < 0), np.bool_)


def _spoken(seconds: float) -> str:
    hours, minutes = divmod(round(seconds) // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{seconds:.0f} s"
