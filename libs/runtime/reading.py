"""Endpoints that only read: who may ask them, and what they say where the database is away."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Any, TypeVar

from fastapi import Depends, HTTPException
from fastapi.params import Depends as Dependency
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import Field

from libs.market.units import Count
from libs.runtime.access import Access, AccessToken, Denied
from libs.runtime.clock import monotonic_ms
from libs.runtime.logs import logger_of
from libs.runtime.settings import Section
from libs.store.errors import StoreError

T = TypeVar("T")
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2149, 6, 6)
"""The days that a database can hold."""
Responses = dict[int | str, dict[str, Any]]
DENIALS: Responses = {
    401: {"description": "no such token"},
    429: {"description": "too often"},
}


class ReadingSettings(Section):
    """Endpoints that only read; without tokens whoever reaches the port may read them."""

    tokens: tuple[AccessToken, ...] = Field((), description="access tokens, by hash")
    per_minute: Annotated[int, Count(1, 1_000_000, of="requests")] = Field(
        120, description="requests per token and minute at most"
    )

    @property
    def access(self) -> Access:
        """Who may read."""
        return Access(self.tokens, self.per_minute)


def guards(access: Access, section: str) -> list[Dependency]:
    """Return what a router depends on: one of the tokens of a section, where it has any."""
    return [Depends(_guard(access, section))] if access.tokens else []


def responses(access: Access, away: str) -> Responses:
    """Return what a router may answer besides; `away` says what a lack of the database means."""
    return {503: {"description": away}, **(DENIALS if access.tokens else {})}


async def answered(asking: Awaitable[T], service: str, away: str) -> T:
    """Return what is asked for; answer 503 if the database does not answer, and log why."""
    try:
        return await asking
    except StoreError as error:
        logger_of(service).warning("earlier days cannot be read", reason=str(error))
        raise HTTPException(503, away) from None


def _guard(access: Access, section: str) -> Callable[..., Awaitable[None]]:
    bearer = HTTPBearer(auto_error=False, description=f"a token of [{section}]")

    async def admit(
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> None:
        try:
            access.admit(credentials.credentials if credentials else "", "read", monotonic_ms())
        except Denied as denied:
            raise HTTPException(denied.status, str(denied)) from None

    return admit
