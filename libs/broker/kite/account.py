"""The account at Kite: trades, positions and funds."""

from collections.abc import Mapping, Sequence

from libs.broker.errors import ReplyUnreadable
from libs.broker.kite.mapping import Row, money, position_of, trade_of
from libs.broker.kite.rest import KiteRest
from libs.broker.port.account import Margin, NetPosition, Trade


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

    async def broker(self) -> str:
        """Return the broker in the account's profile: ZERODHA, or SIMULATOR."""
        return str((await self._rest.profile()).get("broker") or "")

    async def margins(self) -> Mapping[str, Margin]:
        """Return available and used funds by segment."""
        segments = await self._rest.margins()
        return {name: _margin(row) for name, row in segments.items()}


def _margin(row: Row) -> Margin:
    try:
        return Margin(money(row["net"]), money(row["utilised"]["debits"]))
    except (KeyError, TypeError, ArithmeticError) as error:
        raise ReplyUnreadable(f"a margin of Kite cannot be read: {error!r}") from error
