"""What a reader returns: an instrument's ticks in columns, and the rows that are none."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.events.ticks import COLUMN_TYPES

UNKNOWN_VOLUME = -1


@dataclass(frozen=True, slots=True, eq=False)
class RecordedTicks:
    """The ticks of one instrument, in file order.

    `at_ms` is epoch ms, `last_price` rupees, `volume` the day's cumulative units, -1 where unknown.
    `more` has those other columns of ticks that were recorded; 0 is unknown. `exchange`, `expiry`
    and `instrument_token` are None where the file does not say them.
    """

    symbol: str
    at_ms: NDArray[np.int64]
    last_price: NDArray[np.float64]
    volume: NDArray[np.int64]
    more: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    exchange: str | None = None
    expiry: date | None = None
    instrument_token: int | None = None

    def take(self, chosen: NDArray[Any]) -> "RecordedTicks":
        """Return the chosen ticks."""
        return RecordedTicks(
            self.symbol,
            self.at_ms[chosen],
            self.last_price[chosen],
            self.volume[chosen],
            {name: column[chosen] for name, column in self.more.items()},
            self.exchange,
            self.expiry,
            self.instrument_token,
        )


def one_after_the_other(parts: Sequence[RecordedTicks]) -> RecordedTicks:
    """Return an instrument's ticks of several files; a column that one lacks is 0 there."""
    if len(parts) == 1:
        return parts[0]
    names = {name: None for part in parts for name in part.more}
    first = parts[0]
    return RecordedTicks(
        first.symbol,
        np.concatenate([part.at_ms for part in parts]),
        np.concatenate([part.last_price for part in parts]),
        np.concatenate([part.volume for part in parts]),
        {name: np.concatenate([_column(part, name) for part in parts]) for name in names},
        first.exchange,
        first.expiry,
        first.instrument_token,
    )


def _column(part: RecordedTicks, name: str) -> NDArray[Any]:
    column = part.more.get(name)
    return np.zeros(len(part.at_ms), COLUMN_TYPES[name]) if column is None else column


@dataclass(slots=True)
class LeftOut:
    """Rows that are no ticks: how many by reason, and the first of each reason in words."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Number of rows."""
        return self.counts.total()

    @property
    def lines(self) -> tuple[str, ...]:
        """A line per reason: the first row, and how many there are."""
        return tuple(
            f"{self.first[reason]} ({count} row{'s' if count > 1 else ''} left out)"
            for reason, count in self.counts.items()
        )

    def add(self, reason: str, count: int, first: str) -> None:
        """Count rows; `first` names the first one's file and row, and says what is wrong."""
        self.counts[reason] += count
        self.first.setdefault(reason, first)

    def join(self, other: "LeftOut") -> None:
        """Count those of another file too."""
        for reason, count in other.counts.items():
            self.add(reason, count, other.first[reason])


@dataclass(frozen=True, slots=True)
class FileTicks:
    """The ticks of a file by instrument, and the rows that are none."""

    ticks: Sequence[RecordedTicks]
    left_out: LeftOut
