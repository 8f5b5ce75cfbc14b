"""The session port: who is logged in at the broker, and until when."""

from datetime import datetime
from typing import Protocol


class Session(Protocol):
    """Who is logged in and until when; the token itself is the adapter's own."""

    @property
    def user_id(self) -> str:
        """The account's user."""

    @property
    def expires_at(self) -> datetime:
        """The moment at which the broker ends the session (UTC)."""


class Sessions(Protocol):
    """The login of a trading day; running parts of the broker take a new one up by themselves."""

    def login_url(self) -> str:
        """Return the page on which the user logs in; it hands out a request token."""

    async def log_in(self, request_token: str) -> Session:
        """Exchange the token, which can be used once, for the session, and keep that for all."""

    def current(self, now_ms: int) -> Session:
        """Return the session that holds; SessionMissing, SessionFileBroken or SessionExpired."""
