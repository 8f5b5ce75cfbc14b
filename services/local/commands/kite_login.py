"""The daily login at Kite: from the pasted answer to the session file."""

from urllib.parse import parse_qs

from libs.broker.kite.address import KiteAddress
from libs.broker.kite.rest import end_session, open_session
from libs.broker.kite.session import KiteSession, SessionFile
from libs.runtime.kite import kite_address
from libs.runtime.settings import KiteSettings, SettingsError


def address_with_secret(settings: KiteSettings) -> KiteAddress:
    """Return Kite's address; raise SettingsError without an API key or its secret."""
    address = kite_address(settings)
    if not settings.api_secret.get_secret_value():
        raise SettingsError(
            "kite.api_secret: needed to log in: set ALPHASTOCKS_KITE__API_SECRET for this command"
        )
    return address


def request_token_of(answer: str) -> str:
    """Return the request token of the pasted answer: the whole address, or the token alone.

    Raises SettingsError if it holds none.
    """
    text = answer.strip()
    tokens = parse_qs(text.partition("?")[2].partition("#")[0]).get("request_token", [])
    token = tokens[0] if tokens else text
    if not token or not token.isalnum():
        raise SettingsError(
            "login: no request_token in that; paste the whole address that the browser was sent to"
        )
    return token


async def log_in(settings: KiteSettings, answer: str) -> KiteSession:
    """Exchange the request token for a session and write it to the session file."""
    address, request_token = address_with_secret(settings), request_token_of(answer)
    secret, folder = settings.api_secret.get_secret_value(), settings.session_file.parent
    try:  # before the token is spent
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"kite.session_file: no folder {folder}: {error.strerror}") from None
    session = await open_session(address, request_token, secret)
    SessionFile(settings.session_file).write(session)
    return session


async def log_out(settings: KiteSettings) -> None:
    """End the session at the broker, and remove its file. Raises BrokerError."""
    file = SessionFile(settings.session_file)
    await end_session(kite_address(settings), file.read())
    settings.session_file.unlink(missing_ok=True)
