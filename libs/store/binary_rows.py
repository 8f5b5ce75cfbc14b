"""Rows as ClickHouse's own bytes, for backups: nothing is converted, so nothing can change.

A block is in the format RowBinaryWithNamesAndTypes: `clickhouse local` and other tools read it too.
The server writes rows by `formatRow` and parses a block by the table function `format`, so that
bytes go over the native protocol both ways.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from libs.store.clickhouse import Line
from libs.store.store import StoreAddress

_FEW = 5_000


class Block(NamedTuple):
    """Rows with the names and types of their columns before them."""

    content: bytes
    rows: int


class BinaryRows:
    """Copies rows out of and into the tables of a database; connects at the first statement."""

    def __init__(self, address: StoreAddress) -> None:
        self._line = Line(address, use_numpy=False)

    async def read(
        self, table: str, columns: Mapping[str, str], partition: str, block_rows: int
    ) -> AsyncIterator[Block]:
        """Yield a partition's rows, duplicates merged; `columns` are names with their types."""
        sql = (
            f"SELECT formatRow('RowBinary', {_listed(columns)}) FROM `{table}` FINAL"  # noqa: S608  the database's own names
            " WHERE _partition_id = %(partition)s"
        )
        rows: Iterator[tuple[bytes]] = await self._line.run(
            lambda client: client.execute_iter(
                sql, {"partition": partition}, settings={"strings_as_bytes": True}
            )
        )
        head, is_over = _head(columns), False
        try:
            while some := await self._some(rows, block_rows):
                yield Block(head + b"".join(some), len(some))
            is_over = True
        finally:
            if not is_over:  # the rest of the answer is still on its way
                await self._line.run(lambda client: client.disconnect())

    async def insert(self, table: str, columns: Mapping[str, str], content: bytes) -> None:
        """Insert the rows of a block."""
        names = _listed(columns)
        sql = (
            f"INSERT INTO `{table}` ({names}) SELECT {names}"  # noqa: S608  the database's own names
            " FROM format('RowBinaryWithNamesAndTypes', (SELECT content FROM block))"
        )
        block: Any = {
            "name": "block",
            "structure": [("content", "String")],
            "data": [{"content": content}],
        }
        await self._line.run(lambda client: client.execute(sql, external_tables=[block]))

    async def close(self) -> None:
        """Close the connection."""
        await self._line.close()

    async def _some(self, rows: Iterator[tuple[bytes]], wanted: int) -> list[bytes]:
        some: list[bytes] = []
        while len(some) < wanted:
            more = await self._line.run(lambda _: [row for (row,) in islice(rows, _FEW)])
            if not more:
                break
            some += more
        return some


def _listed(columns: Mapping[str, str]) -> str:
    return ", ".join(f"`{name}`" for name in columns)


def _head(columns: Mapping[str, str]) -> bytes:
    texts = [text.encode() for text in (*columns, *columns.values())]
    return _length(len(columns)) + b"".join(_length(len(text)) + text for text in texts)


def _length(number: int) -> bytes:
    """Return a number in seven bits a byte, the lowest ones first."""
    content = bytearray()
    while number >= 128:
        content.append(number & 127 | 128)
        number >>= 7
    content.append(number)
    return bytes(content)
