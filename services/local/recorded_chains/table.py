"""The table of `alphastocks chain`: the file's own columns, and behind them the values."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date
from math import isnan
from pathlib import Path
from uuid import uuid4

import numpy as np

from libs.market.arrays import FloatArray
from libs.market.calendar import Calendar, day_in_india
from libs.market.greeks import Greeks
from services.local.recorded_chains.reading import ChainRows, snapshots_of
from services.local.recorded_chains.valuation import ClosesMs, Valued, closes_by, value_snapshot

KINDS = ("CE", "PE")
GREEKS = tuple(one.name for one in fields(Greeks))
ADDED = (
    "forward",
    *(f"{kind.lower()}_iv" for kind in KINDS),
    *(f"{kind.lower()}_{greek}" for kind in KINDS for greek in GREEKS),
)
_DIGITS = ".12g"


@dataclass(slots=True)
class Counted:
    """What a table holds: rows, snapshots, and how many values could be solved."""

    snapshots: int = 0
    rows: int = 0
    without_forward: int = 0
    options: int = 0
    solved: int = 0

    def take(self, valued: Valued) -> None:
        """Count a snapshot."""
        self.snapshots += 1
        self.rows += len(valued.rows)
        self.without_forward += int(np.isnan(valued.forward).sum())
        for volatility in valued.volatility.values():
            self.options += len(volatility)
            self.solved += int(np.isfinite(volatility).sum())


def valued_of(rows: ChainRows, calendar: Calendar, rate: float) -> Iterator[Valued]:
    """Yield each snapshot with its values, in the order of the file."""
    closes: dict[date, ClosesMs] = {}
    for chosen in snapshots_of(rows):
        day = day_in_india(int(rows.at_ms[chosen[0]]))
        if day not in closes:
            closes[day] = closes_by(calendar, day)
        yield value_snapshot(rows, chosen, closes[day], rate)


def write_table(
    out: Path, rows: ChainRows, snapshots: Iterable[Valued], on_snapshot: Callable[[], None]
) -> Counted:
    """Write the whole table or nothing; OSError where the disk refuses it."""
    draft, counted = out.with_name(f".{out.name}.{uuid4().hex}"), Counted()
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow((*rows.header, *ADDED))
            for valued in snapshots:
                table.writerows(_rows(rows, valued))
                counted.take(valued)
                on_snapshot()
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)
    return counted


def _rows(rows: ChainRows, valued: Valued) -> Iterator[Sequence[str]]:
    added = [valued.forward, *(valued.volatility[kind] for kind in KINDS)]
    added += [getattr(valued.greeks[kind], greek) for kind in KINDS for greek in GREEKS]
    for at, values in zip(valued.rows.tolist(), zip(*map(_texts, added), strict=True), strict=True):
        yield (*rows.text[at], *values)


def _texts(column: FloatArray) -> list[str]:
    """Return numbers as text, nothing where there is none."""
    return ["" if isnan(value) else format(value, _DIGITS) for value in column.tolist()]
