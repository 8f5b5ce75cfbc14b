"""Positions of earlier days, out of the table `positions`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from libs.events.event import utc_from_ms
from libs.market.instruments import underlying_name
from libs.store.store import Store
from services.position.asked import Asked
from services.position.domain.trades import STANDARD, Trade

Row = dict[str, Any]
_COLUMNS = (
    *("position_id", "openings", "signal_id", "trading_day", "strategy", "underlying", "profile"),
    *("exchange", "tradingsymbol", "action", "mode", "lot_size", "quantity", "bought_quantity"),
    *("sold_quantity", "entry_price", "exit_price", "last_price", "highest_price", "lowest_price"),
    *("stop_loss", "target", "realised", "unrealised", "charges", "opened_at", "closed_at"),
    *("reason", "entry_slippage", "exit_slippage"),
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM positions FINAL"  # noqa: S608  names only
# The last state of each opening; of two at the same time the one with more fills.
_LAST_OF_EACH = """
ORDER BY occurred_at DESC, bought_quantity + sold_quantity DESC, closed_at IS NULL
LIMIT 1 BY position_id, openings
"""
_LAST = f"""
{_SELECT} WHERE trading_day <= %(last)s AND toDate(occurred_at, 'Asia/Kolkata') <= %(last)s
{_LAST_OF_EACH}
"""


@dataclass(frozen=True, slots=True)
class StoredTrades:
    """Reads trades; every call may raise the errors of the store."""

    store: Store

    async def of_days(self, first: date, last: date) -> list[Trade]:
        """Return what was closed in these days, and what was open at their end, oldest first."""
        found = await self.store.query(
            f"SELECT * FROM ({_LAST}) WHERE closed_at IS NULL OR trading_day >= %(first)s "  # noqa: S608
            "ORDER BY opened_at, position_id, openings",
            {"first": first, "last": last},
        )
        return [_trade(row) for row in rows_of(found)]

    async def page(self, asked: Asked) -> list[Trade]:
        """Return the closed trades of a page, the latest first, and one of the next page."""
        found = await self.store.query(_page_query(asked), _page_params(asked))
        return [_trade(row) for row in rows_of(found)]

    async def of_position(self, position_id: UUID) -> list[Trade]:
        """Return each opening of a position, the first one first."""
        found = await self.store.query(
            f"{_SELECT} WHERE position_id = toUUID(%(id)s) {_LAST_OF_EACH}",
            {"id": str(position_id)},
        )
        return sorted((_trade(row) for row in rows_of(found)), key=lambda one: one.opening)


def _page_query(asked: Asked) -> str:
    rows = ["type = 'PositionClosed'", "trading_day >= %(first)s", "trading_day <= %(last)s"]
    if asked.symbol is not None:
        rows.append("(tradingsymbol = %(symbol)s OR underlying IN (%(symbol)s, %(underlying)s))")
    if asked.strategy is not None:
        rows.append("strategy = %(strategy)s")
    if asked.before is not None:
        rows.append("(closed_at, toString(position_id), openings) < (%(at)s, %(id)s, %(opening)s)")
    return (
        f"{_SELECT} WHERE {' AND '.join(rows)} "
        "ORDER BY closed_at DESC, toString(position_id) DESC, openings DESC LIMIT %(limit)s"
    )


def _page_params(asked: Asked) -> dict[str, object]:
    at_ms, position_id, opening = asked.place or (0, "", 0)
    return {
        "first": asked.first,
        "last": asked.last,
        "symbol": asked.symbol or "",
        "underlying": underlying_name(asked.symbol or ""),
        "strategy": asked.strategy or "",
        "at": utc_from_ms(at_ms),
        "id": position_id,
        "opening": opening,
        "limit": asked.limit + 1,
    }


def rows_of(columns: dict[str, list[Any]]) -> Iterator[Row]:
    """Yield the rows of a reply."""
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _trade(row: Row) -> Trade:
    """Return the trade of a row; what earlier versions did not store is None."""
    shared = {name: row[name] for name in _COLUMNS if name not in _OWN_WORDS}
    return Trade(
        **shared,
        opening=row["openings"],
        profile=row["profile"] or STANDARD,
        action=row["action"] or "BUY",
        exit_price=_known(row["exit_price"]),
        highest_price=_known(row["highest_price"]),
        lowest_price=_known(row["lowest_price"]),
        exit_reason=row["reason"] or None,
    )


_OWN_WORDS = (
    *("openings", "profile", "action", "reason"),
    *("exit_price", "highest_price", "lowest_price"),
)


def _known(price: Decimal) -> Decimal | None:
    return price or None
