"""The endpoints of the signal service, which only read: a day's signals, and one's whole life.

What is in memory is answered from there, the rest out of the store if there is one.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query

from libs.runtime.access import Access
from libs.runtime.reading import FIRST_DAY, LAST_DAY, answered, guards, responses
from services.signal.asked import PLACE, Asked
from services.signal.domain.life import Life, State
from services.signal.domain.signal_book import SignalBook
from services.signal.replies import LifeReply, PageReply, life_of, page_of
from services.signal.stored import StoredSignals

T = TypeVar("T")
LONGEST_PAGE = 1000
_AWAY = "the database with earlier signals does not answer"


@dataclass(frozen=True, slots=True)
class Signals:
    """The signals of the book, and those in the table; without a store those of the book alone."""

    book: SignalBook
    stored: StoredSignals | None

    async def page(self, day: date | None, **asked: Any) -> PageReply:
        """Return a page of a day, the latest one by default."""
        day = day or await self._last_day()
        if day is None:
            return page_of(None, (), 1)
        wanted = Asked(day, **asked)
        return page_of(day, await self._lives(wanted), wanted.limit)

    async def life(self, signal_id: UUID) -> Life | None:
        """Return a signal's life, None if nothing is known of it."""
        life = self.book.lives.of(signal_id)
        if life is None and self.stored is not None:
            return await self.stored.life(signal_id)
        return life

    async def _lives(self, asked: Asked) -> list[Life]:
        if self.stored is None or self._remembers(asked.day):
            return asked.page(self.book.lives.all())
        return await self.stored.page(asked)

    async def _last_day(self) -> date | None:
        day = self.book.sessions.last_day
        return await self.stored.last_day() if day is None and self.stored else day

    def _remembers(self, day: date) -> bool:
        """Return whether the book holds every signal of a day."""
        known = self.book.sessions
        return self.book.lives.is_whole and known.holds(day)


def signals_router(signals: Signals, access: Access) -> APIRouter:
    """Return the endpoints; where `access` has tokens, one of them is needed."""
    router = APIRouter(
        prefix="/signals",
        tags=["signals"],
        dependencies=guards(access, "signal.reading"),
        responses=responses(access, _AWAY),
    )

    @router.get("")
    async def page(
        day: Annotated[date | None, Query(ge=FIRST_DAY, le=LAST_DAY)] = None,
        symbol: Annotated[str | None, Query(max_length=100)] = None,
        strategy: Annotated[str | None, Query(max_length=100)] = None,
        state: State | None = None,
        limit: Annotated[int, Query(ge=1, le=LONGEST_PAGE)] = 100,
        before: Annotated[str | None, Query(pattern=PLACE)] = None,
    ) -> PageReply:
        """Return the signals of a day (the latest by default), the newest first.

        `symbol` is a tradingsymbol or an underlying; `before` is `next` of the page before.
        """
        asking = signals.page(
            day, symbol=symbol, strategy=strategy, state=state, limit=limit, before=before
        )
        return await _answered(asking)

    @router.get("/{signal_id}", responses={404: {"description": "no such signal"}})
    async def life(signal_id: UUID) -> LifeReply:
        """Return a signal with each of its states: when it was reached, why, by which numbers."""
        found = await _answered(signals.life(signal_id))
        if found is None:
            raise HTTPException(404, f"no signal {signal_id} is known")
        return life_of(found)

    return router


async def _answered(asking: Awaitable[T]) -> T:
    return await answered(asking, "signal", _AWAY)
