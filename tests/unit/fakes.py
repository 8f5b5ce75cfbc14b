"""Stand-ins for the outside that tests of several services share."""

from collections.abc import AsyncIterator, Collection
from datetime import date
from typing import Any

from libs.market.instruments import Instrument
from libs.store.store import Array, Columns, Params
from services.ingest.feed import Backfill, Frame


class ForgetfulStore:
    """A store that takes everything and holds nothing."""

    async def execute(self, sql: str, params: Params | None = None) -> None:
        """Do nothing."""

    async def insert(self, table: str, columns: Columns) -> int:
        """Count the rows."""
        return len(next(iter(columns.values()), ()))

    async def query(self, sql: str, params: Params | None = None) -> dict[str, list[Any]]:
        """Return no column."""
        return {}

    async def query_numpy(self, sql: str, params: Params | None = None) -> "dict[str, Array]":
        """Return no column."""
        return {}

    async def ping(self) -> None:
        """Answer."""

    async def close(self) -> None:
        """Have nothing to close."""


class EmptyFeed:
    """A feed of a trading day on which nothing happens."""

    source = "empty"
    trading_day = date(2026, 6, 17)

    async def open(self) -> None:
        """Have nothing to open."""

    def describe(self) -> dict[str, Any]:
        """Have nothing to show."""
        return {}

    async def close(self) -> None:
        """Have nothing to close."""

    async def instruments(self) -> list[Instrument]:
        """List nothing."""
        return []

    async def backfill(self, partitions: int) -> Backfill:
        """Have no history."""
        return Backfill((), ())

    async def frames(self, partitions: int = 1) -> AsyncIterator[Frame]:
        """Yield nothing."""
        return
        yield

    def follow(self, instrument_tokens: Collection[int]) -> None:
        """Have nothing to quote."""
