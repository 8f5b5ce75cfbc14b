"""Faults of the rows in replies: the books of a broker lag, and have rows that make no sense.

So has its list of instruments, a CSV file: `path` is `/instruments` then.
"""

import csv
import io
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field

from services.simulator.domain.faults.base import Counted

Row = Mapping[str, Any]


class RowFault(Counted):
    """Hits replies to paths that begin with `path`, and in them the rows with these values."""

    path: str = Field("/orders", pattern="^/")
    order_id: str | None = None
    tradingsymbol: str | None = None
    transaction_type: Literal["BUY", "SELL"] | None = None

    def matches(self, row: Row) -> bool:
        """Whether it hits a row."""
        asked = ("order_id", "tradingsymbol", "transaction_type")
        return all(getattr(self, name) in (None, row.get(name)) for name in asked)

    @abstractmethod
    def applied(self, row: Row) -> list[Row]:
        """Return what is shown of a row that it hits."""

    def shown(self, rows: Iterable[Row]) -> list[Row]:
        """Return the rows as they are shown."""
        return [one for row in rows for one in (self.applied(row) if self.matches(row) else [row])]

    def shown_table(self, table: str) -> str:
        """Return a CSV file, of instruments say, as it is shown."""
        rows, text = csv.DictReader(io.StringIO(table)), io.StringIO()
        columns = rows.fieldnames or ()
        writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.shown(rows))
        return text.getvalue()


class HideRows(RowFault):
    """Leave the rows out, as a book that lags does."""

    kind: Literal["hide_rows"]

    def applied(self, row: Row) -> list[Row]:
        """Return what is shown of a row that it hits."""
        return []


class SpoilRows(RowFault):
    """Show another value in a field of the rows, or none."""

    kind: Literal["spoil_rows"]
    field: str = Field(min_length=1)
    value: str | int | float | None = None

    def applied(self, row: Row) -> list[Row]:
        """Return what is shown of a row that it hits."""
        return [{**row, self.field: self.value}]


AnyRowFault = HideRows | SpoilRows
