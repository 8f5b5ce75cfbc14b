"""An in-memory store that knows as much SQL as migrations ask."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from libs.store.errors import StoreRejected
from libs.store.store import Array, Columns, Params

APPLIED_AT = datetime(2026, 1, 5, 4, 0, tzinfo=UTC)


class MemoryStore:
    """Records statements; holds the inserted rows and what `system.tables` would say."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.applied: list[tuple[str, int, str, str, datetime]] = []
        self.engines: dict[str, str] = {}
        self.refuses = ""

    async def execute(self, sql: str, params: Params | None = None) -> None:
        """Record, or refuse, a statement."""
        if self.refuses and self.refuses in sql:
            raise StoreRejected("syntax error")
        self.statements.append(sql)

    async def insert(self, table: str, columns: Columns) -> int:
        """Keep rows of `schema_migrations`."""
        rows = list(zip(*columns.values(), strict=True))
        self.applied += [(*row, APPLIED_AT) for row in rows]
        return len(rows)

    async def query(self, sql: str, params: Params | None = None) -> dict[str, list[Any]]:
        """Answer the two questions of `libs.store.migrate`."""
        if "schema_migrations" in sql:
            return self._table(
                ("service", "number", "title", "sha256", "applied_at"), sorted(self.applied)
            )
        return self._table(("name", "engine_full"), list(self.engines.items()))

    async def query_numpy(self, sql: str, params: Params | None = None) -> dict[str, Array]:
        """Answer nothing."""
        return {}

    async def ping(self) -> None:
        """Answer always."""

    async def close(self) -> None:
        """Hold nothing open."""

    @staticmethod
    def _table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
        return {name: [row[at] for row in rows] for at, name in enumerate(names)}


class ServicesFolder:
    """A `services/` folder with the migrations that a test writes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, service: str, name: str, text: str = "SELECT 1;\n") -> None:
        """Write one migration file."""
        folder = self.root / service / "migrations"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def services(tmp_path: Path) -> ServicesFolder:
    return ServicesFolder(tmp_path)
