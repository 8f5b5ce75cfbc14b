"""What an account asks of the exchange it trades on."""

from datetime import date
from typing import Protocol

from libs.market.instruments import Instrument
from libs.market.quotes import Quote


class AccountMarket(Protocol):
    """The exchange of one trading day as an account sees it."""

    @property
    def trading_day(self) -> date:
        """Day of the sessions."""

    def find(self, exchange: str, tradingsymbol: str) -> Instrument | None:
        """Instrument of an exchange and symbol, or None."""

    def by_token(self, instrument_token: int) -> Instrument | None:
        """Instrument of a token, or None."""

    def quote(self, instrument_token: int) -> Quote | None:
        """Latest quote, or None before the first."""

    def previous_close(self, instrument_token: int) -> float:
        """Close of the day before in rupees; 0 if unknown."""

    def reference_price(self, instrument_token: int) -> float:
        """Average trade of the last 30 seconds in rupees; 0 if nothing was traded."""

    def circuit_limits(self, instrument_token: int) -> tuple[float, float]:
        """Lowest and highest price of the day in rupees; an upper limit of 0 is unknown."""

    def is_open(self, instrument: Instrument, at_ms: int) -> bool:
        """Whether the instrument trades at a time (epoch ms); not during a halt."""
