"""The connectors of Kite, and of a simulator with the same interface."""

from collections.abc import Callable
from datetime import date

from libs.broker.connector import Surroundings
from libs.broker.kite.limits import load_limits
from libs.broker.kite.login import KiteSessions
from libs.broker.kite.market import KiteMarketData
from libs.broker.kite.orders import KiteOrderClient
from libs.broker.kite.rest import KiteRest
from libs.broker.kite.session import KiteSession, SessionFile
from libs.broker.kite.settings import KiteSettings
from libs.broker.kite.ticker import Ticker
from libs.broker.kite.venue import KiteVenue, SimulatorVenue
from libs.market.calendar import day_in_india


class KiteConnector:
    """The account of [kite]; raises ValueError, which names the key, for unusable settings."""

    venue_type = KiteVenue

    def __init__(self, settings: KiteSettings, around: Surroundings) -> None:
        self._settings = settings
        self._around = around
        self._address = settings.address()

    def sessions(self) -> KiteSessions:
        """Return the login, which writes the session to `kite.session_file`."""
        return KiteSessions(self._settings)

    def market_data(self) -> KiteMarketData:
        """Return dump, history and quotes."""
        return KiteMarketData(self.rest())

    def tick_stream(self) -> Ticker:
        """Return a new websocket stream."""
        return Ticker(
            self._address,
            self._session(),
            silence_seconds=self._settings.silence_seconds,
            cool_down_seconds=load_limits(self._today()).cool_down_ms / 1000,
            log=self._around.log,
        )

    def venue(self) -> KiteVenue:
        """Return a venue with REST client and websocket of its own."""
        rest, ticker = self.rest(), self.tick_stream()
        client = KiteOrderClient(
            rest,
            ticker,
            poll_seconds=self._settings.poll_seconds,
            fill_seconds=self._settings.fill_seconds,
            now_ms=self._around.now_ms,
            log=self._around.log,
        )
        return self.venue_type(rest, ticker, client)

    def rest(self) -> KiteRest:
        """Return a REST client, limited by the rate limits of today."""
        limits = load_limits(self._today())
        return KiteRest(self._address, self._session(), limits, self._around.note)

    def _today(self) -> date:
        return day_in_india(self._around.wall_ms())

    def _session(self) -> Callable[[], KiteSession]:
        """Return a function that reads the current session; it picks up a new login."""
        file, around = SessionFile(self._settings.session_file), self._around
        return lambda: file.current(around.wall_ms() if around.is_today else 0)


class SimulatorConnector(KiteConnector):
    """The same, but orders go to a simulator only."""

    venue_type = SimulatorVenue
