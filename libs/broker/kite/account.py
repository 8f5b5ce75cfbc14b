"""The account at Kite: trades, positions and funds, each row read by itself."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from libs.broker.errors import ReplyUnreadable
from libs.broker.kite.book import OrderBook
from libs.broker.kite.mapping import Row, money, order_fields, position_of, trade_of
from libs.broker.kite.rest import KiteRest
from libs.broker.kite.unreadable import UnreadableRows, as_row
from libs.broker.port.account import ContractState, Margin, NetPosition, Trade, Unreadable
from libs.broker.port.orders import OrderRequest, OrderUpdate

T = TypeVar("T")


class KiteAccount:
    """The ports Account and Funds over Kite's requests; errors are those of KiteRest."""

    def __init__(self, rest: KiteRest, rows: UnreadableRows | None = None) -> None:
        self._rest = rest
        self._rows = rows or UnreadableRows()

    def unreadable(self) -> Sequence[Unreadable]:
        """Return what could not be read when each book was read last."""
        return self._rows.current()

    async def trades(self) -> Sequence[Trade]:
        """Return the day's trade book, without the rows that cannot be read."""
        return self._read("trade", await self._rest.trades(), trade_of)[0]

    async def positions(self) -> Sequence[NetPosition]:
        """Return the net positions, square ones included, without those that cannot be read."""
        return (await self._positions())[0]

    async def contract(self, exchange: str, tradingsymbol: str) -> ContractState:
        """Return what is held of a contract, and its open orders, by two requests at once.

        Raises ReplyUnreadable if the contract's position cannot be read, or if it is in no row and
        one that cannot be read does not name its contract.
        """
        (positions, left_out), rows = await asyncio.gather(self._positions(), self._rest.orders())
        mine = [
            one
            for one in positions
            if (one.exchange, one.tradingsymbol) == (exchange, tradingsymbol)
        ]
        for one in left_out:
            is_nameless = not one.tradingsymbol and not mine
            if is_nameless or (one.exchange, one.tradingsymbol) == (exchange, tradingsymbol):
                raise ReplyUnreadable(f"what is held of {tradingsymbol}: {one.reason}")
        return ContractState(tuple(mine), self._working(rows, exchange, tradingsymbol))

    async def required_margin(self, request: OrderRequest) -> Decimal:
        """Return the total margin of an order, rupees."""
        rows = await self._rest.order_margins(**order_fields(request))
        try:
            return money(rows[0]["total"])
        except (IndexError, KeyError, TypeError, ArithmeticError) as error:
            raise ReplyUnreadable(f"a margin of Kite cannot be read: {error!r}") from error

    async def broker(self) -> str:
        """Return the broker in the account's profile: ZERODHA, or SIMULATOR."""
        return str((await self._rest.profile()).get("broker") or "")

    async def margins(self) -> Mapping[str, Margin]:
        """Return available and used funds by segment, without those that cannot be read."""
        segments = await self._rest.margins()
        self._rows.begin("margin")
        found: dict[str, Margin] = {}
        for name, row in segments.items():
            try:
                found[name] = _margin(name, row)
            except ReplyUnreadable as error:
                self._rows.note("margin", row, error)
        return found

    async def _positions(self) -> tuple[list[NetPosition], list[Unreadable]]:
        rows = (await self._rest.positions()).get("net")
        if not isinstance(rows, list):
            raise ReplyUnreadable("Kite's positions lack the net ones")
        return self._read("position", rows, position_of)

    def _read(
        self, what: str, rows: Iterable[object], read: Callable[[Row], T]
    ) -> tuple[list[T], list[Unreadable]]:
        """Read each row by itself; return what was read, and the names of the others."""
        self._rows.begin(what)
        found: list[T] = []
        left_out: list[Unreadable] = []
        for row in rows:
            try:
                found.append(read(as_row(row, what)))
            except ReplyUnreadable as error:
                left_out.append(self._rows.note(what, row, error))
        return found, left_out

    def _working(
        self, rows: Iterable[object], exchange: str, tradingsymbol: str
    ) -> tuple[OrderUpdate, ...]:
        """Return a contract's open orders; what they have filled is told from their own rows."""
        book = OrderBook()
        for row in rows:
            if isinstance(row, dict) and _names(row, exchange, tradingsymbol):
                try:
                    book.take_order(row, 0)
                except ReplyUnreadable as error:
                    self._rows.note("order", row, error)
        return tuple(one for one in book.from_orders() if one.status == "OPEN")


def _names(row: Row, exchange: str, tradingsymbol: str) -> bool:
    return (row.get("exchange"), row.get("tradingsymbol")) == (exchange, tradingsymbol)


def _margin(segment: str, row: Row) -> Margin:
    try:
        return Margin(money(row["net"]), money(row["utilised"]["debits"]))
    except (KeyError, TypeError, ArithmeticError) as error:
        raise ReplyUnreadable(f"Kite's margin of {segment} cannot be read: {error!r}") from error
