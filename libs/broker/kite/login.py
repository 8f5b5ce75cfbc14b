"""The login at Kite: daily, by hand in the browser; the session is kept in a file."""

from libs.broker.kite.address import login_url
from libs.broker.kite.rest import open_session
from libs.broker.kite.session import KiteSession, SessionFile
from libs.broker.kite.settings import KiteSettings


class KiteSessions:
    """The port Sessions; raises ValueError, which names the key, for unusable settings."""

    def __init__(self, settings: KiteSettings) -> None:
        self._address = settings.address()
        self._secret = settings.api_secret
        self._file = SessionFile(settings.session_file)

    def login_url(self) -> str:
        """Return the page on which the user logs in."""
        return login_url(self._address)

    async def log_in(self, request_token: str) -> KiteSession:
        """Exchange the one-time token for a session, and write it to the file."""
        session = await open_session(self._address, request_token, self._secret.get_secret_value())
        self._file.write(session)
        return session

    def current(self, now_ms: int) -> KiteSession:
        """Return the file's session; raise SessionMissing, SessionFileBroken or SessionExpired."""
        return self._file.current(now_ms)
