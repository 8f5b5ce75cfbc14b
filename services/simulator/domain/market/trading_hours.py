"""When an instrument trades: the sessions of its exchange, and the halts that interrupt them."""

from collections.abc import Mapping
from datetime import date

from libs.market.calendar import Calendar, Session
from libs.market.instruments import Instrument

_EVERYTHING = ""


class TradingHours:
    """Sessions and halts of one trading day; times in epoch ms."""

    def __init__(self, calendar: Calendar, trading_day: date) -> None:
        self._calendar, self._day = calendar, trading_day
        self._sessions: dict[str, tuple[Session, ...]] = {}
        self._halted_until: dict[str, int] = {}

    def sessions(self, exchange: str) -> tuple[Session, ...]:
        """Sessions of an exchange on the day; raises CalendarError for an unknown one."""
        if exchange not in self._sessions:
            self._sessions[exchange] = self._calendar.sessions(exchange, self._day)
        return self._sessions[exchange]

    def close_ms(self, exchange: str) -> int:
        """Close of an exchange's last session."""
        return self.sessions(exchange)[-1].close_ms

    def is_session(self, exchange: str, at_ms: int) -> bool:
        """Whether a session is on, halts apart."""
        return any(one.open_ms <= at_ms < one.close_ms for one in self.sessions(exchange))

    def halt(self, exchange_or_key: str | None, until_ms: int) -> None:
        """Stop an exchange, one instrument by its key, or everything, until a time."""
        self._halted_until[exchange_or_key or _EVERYTHING] = until_ms

    def halts(self, at_ms: int) -> Mapping[str, int]:
        """Halts in force: exchange, key, or nothing for everything → until when."""
        return {scope: until for scope, until in self._halted_until.items() if at_ms < until}

    def is_halted(self, instrument: Instrument, at_ms: int) -> bool:
        """Whether a halt holds for an instrument."""
        scopes = (_EVERYTHING, instrument.exchange, instrument.key)
        return any(at_ms < self._halted_until.get(scope, 0) for scope in scopes)

    def is_open(self, instrument: Instrument, at_ms: int) -> bool:
        """Whether an instrument trades: its exchange is in session and no halt holds."""
        in_session = self.is_session(instrument.exchange, at_ms)
        return in_session and not self.is_halted(instrument, at_ms)
