"""The account at Kite: trades, positions and funds."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal

from libs.broker.errors import ReplyUnreadable
from libs.broker.kite.mapping import (
    Row,
    money,
    open_order_of,
    order_fields,
    position_of,
    trade_of,
)
from libs.broker.kite.rest import KiteRest
from libs.broker.port.account import ContractState, Margin, NetPosition, Trade
from libs.broker.port.orders import OrderRequest


class KiteAccount:
    """The ports Account and Funds over Kite's requests; errors are those of KiteRest."""

    def __init__(self, rest: KiteRest) -> None:
        self._rest = rest

    async def trades(self) -> Sequence[Trade]:
        """Return the day's trade book."""
        return [trade_of(row) for row in await self._rest.trades()]

    async def positions(self) -> Sequence[NetPosition]:
        """Return the net positions, square ones included."""
        rows = (await self._rest.positions()).get("net")
        if not isinstance(rows, list):
            raise ReplyUnreadable("Kite's positions lack the net ones")
        return [position_of(row) for row in rows]

    async def contract(self, exchange: str, tradingsymbol: str) -> ContractState:
        """Return what is held of a contract, and its open orders, by two requests at once."""
        positions, rows = await asyncio.gather(self.positions(), self._rest.orders())
        mine = [row for row in rows if _names(row, exchange, tradingsymbol)]
        return ContractState(
            positions=tuple(
                one
                for one in positions
                if (one.exchange, one.tradingsymbol) == (exchange, tradingsymbol)
            ),
            working=tuple(one for one in map(open_order_of, mine) if one.status == "OPEN"),
        )

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
        """Return available and used funds by segment."""
        segments = await self._rest.margins()
        return {name: _margin(row) for name, row in segments.items()}


def _names(row: Row, exchange: str, tradingsymbol: str) -> bool:
    return (row.get("exchange"), row.get("tradingsymbol")) == (exchange, tradingsymbol)


def _margin(row: Row) -> Margin:
    try:
        return Margin(money(row["net"]), money(row["utilised"]["debits"]))
    except (KeyError, TypeError, ArithmeticError) as error:
        raise ReplyUnreadable(f"a margin of Kite cannot be read: {error!r}") from error
