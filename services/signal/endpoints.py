"""The endpoints of the signal service, which only read: a day's signals, and one's whole life.

What is in memory is answered from there, the rest out of the store if there is one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from libs.runtime.access import Access, Denied
from libs.runtime.clock import monotonic_ms
from libs.runtime.logs import logger_of
from libs.store.errors import StoreError
from services.signal.asked import PLACE, Asked
from services.signal.domain.life import Life, State
from services.signal.domain.signal_book import SignalBook
from services.signal.replies import LifeReply, PageReply, life_of, page_of
from services.signal.stored import StoredSignals

T = TypeVar("T")
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2149, 6, 6)
LONGEST_PAGE = 1000
_BEARER = HTTPBearer(auto_error=False, description="a token of [signal.reading]")
_RESPONSES: dict[int | str, dict[str, Any]] = {
    503: {"description": "the database with earlier signals does not answer"}
}
DENIALS: dict[int | str, dict[str, Any]] = {
    401: {"description": "no such token"},
    429: {"description": "too often"},
}


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
    guard = [Depends(guard_of(access))] if access.tokens else []
    responses = _RESPONSES | (DENIALS if access.tokens else {})
    router = APIRouter(prefix="/signals", tags=["signals"], dependencies=guard, responses=responses)

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


def guard_of(access: Access) -> Callable[..., Awaitable[None]]:
    """Return what admits a request with a token."""

    async def admit(
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    ) -> None:
        try:
            access.admit(credentials.credentials if credentials else "", "read", monotonic_ms())
        except Denied as denied:
            raise HTTPException(denied.status, str(denied)) from None

    return admit


async def _answered(asking: Awaitable[T]) -> T:
    try:
        return await asking
    except StoreError as error:
        logger_of("signal").warning("earlier signals cannot be read", reason=str(error))
        raise HTTPException(503, "the database with earlier signals does not answer") from None
