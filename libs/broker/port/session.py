"""The session port: the login at the broker and its expiry."""

from datetime import datetime
from typing import Protocol


class Session(Protocol):
    """A login; the token stays inside the adapter."""

    @property
    def user_id(self) -> str:
        """The account's user."""

    @property
    def expires_at(self) -> datetime:
        """When the session expires (UTC)."""


class Sessions(Protocol):
    """The login of a trading day; running parts of the broker pick up a new one."""

    def login_url(self) -> str:
        """Return the login page, which gives the user a request token."""

    async def log_in(self, request_token: str) -> Session:
        """Exchange the one-time token for a session, and save it for all services."""

    def current(self, now_ms: int) -> Session:
        """Return the session; raise SessionMissing, SessionFileBroken or SessionExpired."""
