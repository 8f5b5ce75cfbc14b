"""The store port: what services and writers use of a database, and its address.

Columns are passed by name. Times are aware UTC datetimes, or integers in the column's unit: epoch
milliseconds, in a `DateTime64(6)` column microseconds. Naive datetimes are refused. A column of few
different texts is fastest as `libs.market.words.Words`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:  # the local server's child process reads this module and needs no numpy
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
Columns = Mapping[str, "Array | Sequence[Any]"]
Params = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """The address of a database and the login; `repr` hides the password."""

    host: str = "127.0.0.1"
    port: int = 9000
    user: str = "default"
    password: str = field(default="", repr=False)
    database: str = "default"


class Store(Protocol):
    """A columnar database; every call may raise StoreUnavailable or StoreRejected."""

    async def execute(self, sql: str, params: Params | None = None) -> None:
        """Run a statement that returns nothing; `%(name)s` in it takes params["name"]."""

    async def insert(self, table: str, columns: Columns) -> int:
        """Insert columns of equal length; return the number of rows when they are acknowledged.

        Omitted columns get their defaults. An insert of no rows does nothing. Raises
        ColumnsRejected for unknown names, unequal lengths and values that do not fit.
        """

    async def query(self, sql: str, params: Params | None = None) -> dict[str, list[Any]]:
        """Return column name → Python values: aware datetimes, Decimal, UUID, None, float."""

    async def query_numpy(self, sql: str, params: Params | None = None) -> dict[str, Array]:
        """Return column name → array: numbers as numbers, times as `datetime64[ms]` in UTC.

        Strings and types without a numpy number (Decimal, UUID, Map, Nullable numbers) are
        object arrays; a missing time is NaT.
        """

    async def ping(self) -> None:
        """Return when the database answers; raise StoreUnavailable when it does not."""

    async def close(self) -> None:
        """Close the connections; a later call raises StoreRejected."""
