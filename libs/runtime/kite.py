"""Kite's parts as the settings name them: REST, websocket, session."""

from collections.abc import Callable

from libs.broker.kite.address import KiteAddress
from libs.broker.kite.limits import load_limits
from libs.broker.kite.rest import KiteRest
from libs.broker.kite.session import KiteSession, SessionFile
from libs.broker.kite.ticker import Ticker
from libs.events.event import utc_from_ms
from libs.market.calendar import IST
from libs.runtime.clock import ClockKind, WallClock
from libs.runtime.logs import logger_of
from libs.runtime.metrics import Metrics
from libs.runtime.settings import KiteSettings, SettingsError


def kite_address(settings: KiteSettings) -> KiteAddress:
    """Return the address in the settings; SettingsError without an API key or for a bad one."""
    if not settings.api_key:
        raise SettingsError(
            "kite.api_key: needed to talk to Kite: set ALPHASTOCKS_KITE__API_KEY, then run "
            "`alphastocks login`"
        )
    try:
        return KiteAddress(
            api_key=settings.api_key,
            root=settings.root,
            ws_root=settings.ws_root,
            login_root=settings.login_root,
            timeout_seconds=settings.timeout_seconds,
        )
    except ValueError as error:
        raise SettingsError(f"kite.{error}") from None


def current_session(settings: KiteSettings, kind: ClockKind) -> Callable[[], KiteSession]:
    """Return what gives the session in force: a new login is picked up without a restart.

    A simulated day is not today: with the feed's clock only the exchange says that it is over.
    """
    file, clock = SessionFile(settings.session_file), WallClock()
    return lambda: file.current(clock.now_ms() if kind == "wall" else 0)


def kite_rest(settings: KiteSettings, kind: ClockKind, metrics: Metrics | None = None) -> KiteRest:
    """Return the REST client, kept within the limits that hold today; it counts its requests."""
    today = utc_from_ms(WallClock().now_ms()).astimezone(IST).date()
    session, limits = current_session(settings, kind), load_limits(today)
    note = metrics.note_request if metrics else None
    return KiteRest(kite_address(settings), session, limits, note)


def kite_ticker(settings: KiteSettings, kind: ClockKind, service: str) -> Ticker:
    """Return a websocket of its own for a service."""
    return Ticker(
        kite_address(settings),
        current_session(settings, kind),
        silence_seconds=settings.silence_seconds,
        log=logger_of(service),
    )
