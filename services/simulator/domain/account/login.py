"""Logging in at the simulated broker: request tokens, the session of the day, and its end."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import time, timedelta

from libs.market.packaged import load_table
from services.simulator.domain.errors import InputError, TokenError
from services.simulator.domain.india_time import at_time, day_of

_REFUSED = "Incorrect `api_key` or `access_token`."
_SCHEME = "token "


@dataclass(frozen=True, slots=True)
class App:
    """The one app that is registered, and whose account it trades."""

    api_key: str
    user_id: str
    api_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """An open session: its tokens, when it began and when it ends (epoch ms)."""

    access_token: str = field(repr=False)
    public_token: str = field(repr=False)
    login_ms: int
    ends_ms: int


class Logins:
    """The logins of an app: one session at a time, which a later one replaces.

    `make_token` gives fresh secrets of letters and digits. A request token can be used once, within
    `request_token_ms` of the wall clock; sessions last by the exchange's clock. `standing_token` is
    an access token that needs no login and never expires.
    """

    def __init__(
        self,
        app: App,
        make_token: Callable[[], str],
        request_token_ms: int,
        standing_token: str = "",
    ) -> None:
        self._app, self._make_token = app, make_token
        self._standing_token = standing_token
        self._request_token_ms = request_token_ms
        self._asked: dict[str, int] = {}
        self._session: Session | None = None

    @property
    def app(self) -> App:
        """The registered app."""
        return self._app

    def begin(self, api_key: str, wall_ms: int) -> str:
        """Return a fresh request token; raises InputError for an unknown app."""
        if api_key != self._app.api_key:
            raise InputError("Invalid `api_key`.")
        self._forget_old(wall_ms)
        request_token = self._make_token()
        self._asked[request_token] = wall_ms
        return request_token

    def open(
        self, api_key: str, request_token: str, checksum: str, wall_ms: int, now_ms: int
    ) -> Session:
        """Exchange a request token for a session; raises TokenError. The token is then used up."""
        self._forget_old(wall_ms)
        is_asked = self._asked.pop(request_token, None) is not None
        if api_key != self._app.api_key:
            raise TokenError("Invalid `api_key`.")
        if not is_asked:
            raise TokenError("Token is invalid or has expired.")
        signed = f"{api_key}{request_token}{self._app.api_secret}".encode()
        if not _same(hashlib.sha256(signed).hexdigest(), checksum):
            raise TokenError("Invalid `checksum`.")
        self._session = Session(self._make_token(), self._make_token(), now_ms, _ends_ms(now_ms))
        return self._session

    def accepts(self, api_key: str, access_token: str, now_ms: int) -> bool:
        """Whether these are the keys of the current session, or the standing token."""
        if self._standing_token and _same(access_token, self._standing_token):
            return _same(api_key, self._app.api_key)
        session = self._session
        if session is None or now_ms >= session.ends_ms:
            return False
        return _same(api_key, self._app.api_key) and _same(access_token, session.access_token)

    def check(self, authorization: str, now_ms: int) -> None:
        """Raise TokenError unless a header `token api_key:access_token` opens the session."""
        keys = authorization.removeprefix(_SCHEME)
        api_key, _, access_token = keys.partition(":")
        if keys == authorization or not self.accepts(api_key, access_token, now_ms):
            raise TokenError(_REFUSED)

    def end(self, api_key: str, access_token: str, now_ms: int) -> None:
        """Log out; raises TokenError unless the keys are those of the current session."""
        if not self.accepts(api_key, access_token, now_ms):
            raise TokenError(_REFUSED)
        self._session = None

    def expire(self) -> None:
        """End the session, whoever holds its token; the standing token stays."""
        self._session = None

    def _forget_old(self, wall_ms: int) -> None:
        since_ms = wall_ms - self._request_token_ms
        self._asked = {token: at for token, at in self._asked.items() if at > since_ms}


def _ends_ms(login_ms: int) -> int:
    """The next moment at which Kite ends every session."""
    day, ends_at = day_of(login_ms), _session_ends_at()
    ends_ms = at_time(day, ends_at)
    return ends_ms if login_ms < ends_ms else at_time(day + timedelta(days=1), ends_at)


def _session_ends_at() -> time:
    ends_at: time = load_table("kite_limits.toml")["session_ends_at"]
    return ends_at


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
