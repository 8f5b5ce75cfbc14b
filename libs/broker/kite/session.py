"""The session of a trading day, and the file that passes it from the login to the services."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from libs.broker.errors import SessionExpired, SessionFileBroken, SessionMissing
from libs.broker.kite.replies import LOG_IN
from libs.events.event import ms_from_utc
from libs.market.calendar import IST
from libs.market.packaged import load_table
from libs.private_files import write_private


@dataclass(frozen=True, slots=True)
class KiteSession:
    """A login and its user; `login_time` is aware UTC."""

    user_id: str
    api_key: str
    access_token: str = field(repr=False)
    login_time: datetime

    def __post_init__(self) -> None:
        if self.login_time.tzinfo is None:
            raise ValueError("login_time must be aware")

    @property
    def expires_at(self) -> datetime:
        """The next time after the login at which Kite ends all sessions (UTC)."""
        login = self.login_time.astimezone(IST)
        end = datetime.combine(login.date(), _end_of_sessions(), IST)
        if end <= login:
            end = datetime.combine(login.date() + timedelta(days=1), _end_of_sessions(), IST)
        return end.astimezone(UTC)


def _end_of_sessions() -> time:
    ends_at: time = load_table("kite_limits.toml")["session_ends_at"]
    return ends_at


class SessionFile:
    """The file of the session; only its owner may read it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._session: KiteSession | None = None

    def write(self, session: KiteSession) -> None:
        """Replace the file atomically: a reader sees the old session or the new one."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_private(self._path, session_json(session))

    def read(self, now_ms: int | None = None) -> KiteSession:
        """Return the file's session; check its expiry if `now_ms` (epoch ms) is given.

        Raises SessionMissing, SessionFileBroken or SessionExpired.
        """
        try:
            text = self._path.read_text("utf-8")
        except FileNotFoundError as error:
            raise SessionMissing(f"there is no session at {self._path}: {LOG_IN}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise self._broken() from error
        session = self._parse(text)
        return session if now_ms is None else _unexpired(session, now_ms)

    def current(self, now_ms: int) -> KiteSession:
        """Return the current session; the file is read only when it has changed.

        Raises SessionMissing, SessionFileBroken or SessionExpired.
        """
        stamp = self._stamp_of_file()
        if self._session is None or stamp is None or stamp != self._stamp:
            self._session = None
            self._session = self.read()
            self._stamp = stamp
        return _unexpired(self._session, now_ms)

    def _stamp_of_file(self) -> tuple[int, int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def _parse(self, text: str) -> KiteSession:
        try:
            return _from_json(json.loads(text))
        except (ValueError, KeyError, TypeError):
            # The cause would contain the token.
            raise self._broken() from None

    def _broken(self) -> SessionFileBroken:
        return SessionFileBroken(f"the session at {self._path} cannot be read: {LOG_IN}")


def _unexpired(session: KiteSession, now_ms: int) -> KiteSession:
    if now_ms >= ms_from_utc(session.expires_at):
        ended = f"{session.expires_at.astimezone(IST):%Y-%m-%d %H:%M}"
        raise SessionExpired(f"the session of {session.user_id} ended at {ended}: {LOG_IN}")
    return session


def session_json(session: KiteSession) -> str:
    """Return what a session file holds."""
    fields = {
        "user_id": session.user_id,
        "api_key": session.api_key,
        "access_token": session.access_token,
        "login_time": session.login_time.astimezone(UTC).isoformat(),
    }
    return json.dumps(fields)


def _from_json(fields: dict[str, Any]) -> KiteSession:
    texts = [fields[name] for name in ("user_id", "api_key", "access_token", "login_time")]
    if not all(isinstance(text, str) and text for text in texts):
        raise ValueError("a session is made of four texts")
    user_id, api_key, access_token, login_time = texts
    at = datetime.fromisoformat(login_time).astimezone(UTC)
    return KiteSession(user_id, api_key, access_token, at)
