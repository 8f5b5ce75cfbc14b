"""A table of recorded rows as its form's reader returns it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from services.ingest.recordings.errors import RecordingError
from services.ingest.recordings.ticks import LeftOut

Mask = NDArray[np.bool_]


@dataclass(slots=True)
class Table:
    """Rows of a file with lower-case column names; the frame's index numbers them.

    `row_word` and `first_row` name them in errors: `line` 2 is the first below a header.
    `blank_is_damage`: a cell that is blank where others are filled was cut off.
    """

    path: Path
    frame: pd.DataFrame
    row_word: str = "line"
    first_row: int = 2
    blank_is_damage: bool = False
    left_out: LeftOut = field(default_factory=LeftOut)
    kept: Mask = field(init=False)

    def __post_init__(self) -> None:
        self.frame.columns = [str(name).strip().lower() for name in self.frame.columns]
        if not self.frame.columns.is_unique:
            raise RecordingError(f"{self.path}: two columns have the same name")
        self.kept = np.ones(len(self.frame), np.bool_)

    def column(self, names: Iterable[str]) -> str | None:
        """Return the first of these columns that is there."""
        return next((name for name in names if name in self.frame.columns), None)

    def needed(self, names: Iterable[str]) -> str:
        """Return the first of these columns; raise RecordingError if none is there."""
        known = tuple(names)
        found = self.column(known)
        if found is None:
            there = [str(name) for name in self.frame.columns]
            raise RecordingError(f"{self.path}: no column {' or '.join(known)}; there are {there}")
        return found

    def where(self, number: int) -> str:
        """Return how a row is called, by its number in the frame's index."""
        return f"{self.path}: {self.row_word} {number + self.first_row}"

    def leave_out(self, bad: NDArray[Any], reason: str, column: str, why: str) -> None:
        """Leave rows out, and count them under a reason."""
        bad = bad & self.kept
        if not bad.any():
            return
        first = int(bad.argmax())
        cell = self.frame[column].iloc[first]
        shown = "nothing" if pd.isna(cell) else repr(str(cell))
        said = f"{self.where(int(self.frame.index[first]))}: {column} is {why}: {shown}"
        self.left_out.add(reason, int(np.count_nonzero(bad)), said)
        self.kept &= ~bad

    def check(self) -> None:
        """Raise RecordingError if no row is kept, or most rows were left out."""
        left_out, kept = self.left_out.total, int(np.count_nonzero(self.kept))
        if left_out > kept:
            first = next(iter(self.left_out.first.values())).removeprefix(f"{self.path}: ")
            count = f"{left_out} of {left_out + kept}"
            raise RecordingError(f"{self.path}: {count} rows are no ticks, the first: {first}")
        if not kept:
            raise RecordingError(f"{self.where(0)}: no tick follows the header")
