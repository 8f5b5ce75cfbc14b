"""Access control of the HTTP endpoints: hashed tokens, scopes and a rate limit."""

import hashlib
import hmac
import secrets
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from libs.runtime.settings import Section

Scope = Literal["read", "operate", "trade"]
SCOPES: tuple[Scope, ...] = ("read", "operate", "trade")
"""Each scope includes those before it. read: state; operate: halt,
resume, exit, disarm; trade: mode, arm.

What reduces risk needs no more than a halt does; what may add to it needs `trade`.
"""
LONGEST_NAME = 40
_TOKEN_BYTES = 32
_MINUTE_MS = 60_000
_UNKNOWN = ""


class AccessToken(Section):
    """A token of the control endpoints; only its hash is stored."""

    name: str = Field(
        min_length=1, max_length=LONGEST_NAME, description="owner of the token, shown in the audit"
    )
    scope: Scope = Field(description="read, operate or trade")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="hash printed by `alphastocks token`")


class Denied(Exception):
    """A refused request: 401 unknown token, 403 beyond its scope, 429 over the rate limit.

    `name` is the token's owner, empty for an unknown token.
    """

    def __init__(self, status: Literal[401, 403, 429], reason: str, name: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.name = name


def new_token() -> str:
    """Return a new token of 256 random bits; so much randomness needs no salted hash."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def hash_of(token: str) -> str:
    """Return the SHA-256 of a token, in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(slots=True)
class Access:
    """Admits `per_minute` requests a minute for each token, and for all unknown tokens together.

    Requests that only read are counted apart, so that whoever watches can still act.
    """

    tokens: tuple[AccessToken, ...]
    per_minute: int
    _uses: dict[tuple[str, bool], deque[int]] = field(default_factory=lambda: defaultdict(deque))

    def admit(
        self, presented: str, scope: Scope, now_ms: int, *, is_urgent: bool = False
    ) -> AccessToken:
        """Return the token; raise Denied. `now_ms` is a steady clock with any start.

        What is urgent, a halt or an exit, is never too often for a known token.
        """
        known = self.recognise(presented, now_ms)
        if not is_urgent and self._is_too_often((known.name, scope == "read"), now_ms):
            raise Denied(429, self._too_often, known.name)
        if SCOPES.index(known.scope) < SCOPES.index(scope):
            reason = f"a token of scope {known.scope} may not do this: {scope}"
            raise Denied(403, reason, known.name)
        return known

    def recognise(self, presented: str, now_ms: int) -> AccessToken:
        """Return the token that was presented; raise Denied for one that nobody has."""
        known = self._known(presented)
        if known is not None:
            return known
        if self._is_too_often((_UNKNOWN, False), now_ms):
            raise Denied(429, self._too_often)
        raise Denied(401, "no such token: Authorization: Bearer TOKEN is needed")

    @property
    def _too_often(self) -> str:
        return f"more than {self.per_minute} requests a minute"

    def _known(self, presented: str) -> AccessToken | None:
        """Compare with every token in constant time, so that timing reveals nothing."""
        digest, found = hash_of(presented), None
        for token in self.tokens:
            if hmac.compare_digest(digest, token.sha256):
                found = token
        return found

    def _is_too_often(self, user: tuple[str, bool], now_ms: int) -> bool:
        uses = self._uses[user]
        while uses and uses[0] <= now_ms - _MINUTE_MS:
            uses.popleft()
        if len(uses) >= self.per_minute:
            return True
        uses.append(now_ms)
        return False
