"""The store's port: what services and writers may ask of a database, and where one is.

Columns go in and come out by name. Times are aware UTC datetimes, or integers that count epoch
milliseconds (in a `DateTime64(6)` column microseconds); naive datetimes are refused.
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
    """Where a database is and who we are there; the password is not shown."""

    host: str = "127.0.0.1"
    port: int = 9000
    user: str = "default"
    password: str = field(default="", repr=False)
    database: str = "default"


class Store(Protocol):
    """A database of columns; every call may raise StoreUnavailable or StoreRejected."""

    async def execute(self, sql: str, params: Params | None = None) -> None:
        """Run a statement that returns nothing; `%(name)s` in it takes params["name"]."""

    async def insert(self, table: str, columns: Columns) -> int:
        """Insert columns of one length; return the rows once the server has acknowledged them.

        Columns that are left out take their defaults. An insert of no rows does nothing.
        Raises ColumnsRejected for unknown names, unequal lengths and values that do not fit.
        """

    async def query(self, sql: str, params: Params | None = None) -> dict[str, list[Any]]:
        """Return column name → Python values: aware datetimes, Decimal, UUID, None, float."""

    async def query_numpy(self, sql: str, params: Params | None = None) -> dict[str, Array]:
        """Return column name → array: numbers as numbers, times as `datetime64[ms]` in UTC.

        Strings, and what numpy has no number for (Decimal, UUID, Map, Nullable numbers), come
        as object arrays; a missing time is NaT.
        """

    async def ping(self) -> None:
        """Return when the database answers; raise StoreUnavailable when it does not."""

    async def close(self) -> None:
        """Close the connections; a later call raises StoreRejected."""
