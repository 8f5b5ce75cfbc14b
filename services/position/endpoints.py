"""The endpoints of the position service, which only read: open and closed positions, results.

What is in memory is answered from there; earlier days come out of the store, if there is one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query

from libs.market.calendar import day_in_india
from libs.runtime.access import Access
from libs.runtime.reading import FIRST_DAY, LAST_DAY, answered, guards, responses
from services.position.asked import PLACE, Asked, is_wanted
from services.position.domain.open_positions import OpenPositions
from services.position.domain.trades import Trade
from services.position.replies import (
    DayReply,
    OpenReply,
    PageReply,
    TradeReply,
    day_of,
    open_of,
    page_of,
)
from services.position.stored import StoredTrades

T = TypeVar("T")
LONGEST_PAGE = 1000
_AWAY = "the database with earlier positions does not answer"
Text = Annotated[str | None, Query(max_length=100)]
Day = Annotated[date | None, Query(ge=FIRST_DAY, le=LAST_DAY)]


@dataclass(frozen=True, slots=True)
class Positions:
    """The positions in memory, and those in the table; without a store those in memory alone."""

    held: OpenPositions
    stored: StoredTrades | None
    now_ms: Callable[[], int]

    def open(self, symbol: str | None, strategy: str | None) -> list[Trade]:
        """Return the open positions that are asked for."""
        return [one for one in self.held.open_trades() if is_wanted(one, symbol, strategy)]

    async def closed(self, asked: Asked) -> list[Trade]:
        """Return the closed positions of a page, and one of the next page."""
        earlier = await self.stored.page(asked) if self.stored else []
        return asked.page([*earlier, *self.held.closed_trades()])

    async def of_day(self, day: date | None) -> DayReply:
        """Return the result of a day, today in India by default."""
        today = day_in_india(self.now_ms())
        day = day or today
        stored = await self.stored.of_days(day, day) if self.stored else []
        whole = Asked(day, day, LONGEST_PAGE)
        known = {(one.position_id, one.opening): one for one in stored}
        known |= {
            (one.position_id, one.opening): one
            for one in self.held.closed_trades()
            if whole.wants(one)
        }
        closed = [one for one in known.values() if whole.wants(one)]
        if day >= today:
            return day_of(day, closed, self.held.open_trades())
        return day_of(day, closed, [one for one in known.values() if one.is_open])

    async def of_position(self, position_id: UUID) -> list[Trade]:
        """Return each opening of a position, the first one first."""
        stored = await self.stored.of_position(position_id) if self.stored else []
        ours = (*self.held.closed_trades(), *self.held.open_trades())
        known = {one.opening: one for one in stored}
        known |= {one.opening: one for one in ours if one.position_id == position_id}
        return [known[opening] for opening in sorted(known)]


def positions_router(positions: Positions, access: Access) -> APIRouter:
    """Return the endpoints; where `access` has tokens, one of them is needed."""
    router = APIRouter(
        prefix="/positions",
        tags=["positions"],
        dependencies=guards(access, "position.reading"),
        responses=responses(access, _AWAY),
    )

    @router.get("")
    async def open_positions(symbol: Text = None, strategy: Text = None) -> OpenReply:
        """Return the open positions at their latest prices, the first opened first.

        `symbol` is the tradingsymbol of a contract, or an underlying.
        """
        return open_of(positions.open(symbol, strategy))

    @router.get("/closed")
    async def closed(
        first: Day = None,
        last: Day = None,
        symbol: Text = None,
        strategy: Text = None,
        limit: Annotated[int, Query(ge=1, le=LONGEST_PAGE)] = 100,
        before: Annotated[str | None, Query(pattern=PLACE)] = None,
    ) -> PageReply:
        """Return closed positions, the latest first, by the days of closing (both included).

        `symbol` is a tradingsymbol or an underlying; `before` is `next` of the page before.
        """
        asked = Asked(first or FIRST_DAY, last or LAST_DAY, limit, symbol, strategy, before)
        return page_of(await _answered(positions.closed(asked)), limit)

    @router.get("/results")
    async def results(day: Day = None) -> DayReply:
        """Return the profit of a day, today's by default, and the figures of its positions."""
        return await _answered(positions.of_day(day))

    @router.get("/{position_id}", responses={404: {"description": "no such position"}})
    async def position(position_id: UUID) -> list[TradeReply]:
        """Return each opening of a position, the first one first."""
        found = await _answered(positions.of_position(position_id))
        if not found:
            raise HTTPException(404, f"no position {position_id} is known")
        return [TradeReply.of(one) for one in found]

    return router


async def _answered(asking: Awaitable[T]) -> T:
    return await answered(asking, "position", _AWAY)
