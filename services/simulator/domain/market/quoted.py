"""A market whose quotes the caller sets: what an account needs of an exchange, without frames."""

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import date

from libs.market.calendar import load_calendar
from libs.market.instruments import Catalog, Instrument
from libs.market.quotes import Quote
from services.simulator.domain.errors import NotFound
from services.simulator.domain.market.price_bands import price_bands
from services.simulator.domain.market.trading_hours import TradingHours

_REFERENCE_MS = 30_000


class QuotedMarket:
    """One trading day of some instruments; each has the quote that was shown last.

    `closes` are the closes of the day before by token, 0 where unknown. An option's circuit limits
    are around its latest price, a share's around its close, as on the board.
    """

    def __init__(
        self,
        trading_day: date,
        instruments: Iterable[Instrument],
        closes: Mapping[int, float] | None = None,
    ) -> None:
        self._day, self._catalog = trading_day, Catalog(instruments)
        self._closes = dict(closes or {})
        self._quotes: dict[int, Quote] = {}
        self._shown: dict[int, deque[tuple[int, float]]] = {}
        self._hours = TradingHours(load_calendar(), trading_day)
        self._bands = price_bands(trading_day)

    @property
    def trading_day(self) -> date:
        """Day of the sessions."""
        return self._day

    def find(self, exchange: str, tradingsymbol: str) -> Instrument | None:
        """Instrument of an exchange and symbol, or None."""
        return self._catalog.find(exchange, tradingsymbol)

    def by_token(self, instrument_token: int) -> Instrument | None:
        """Instrument of a token, or None."""
        return self._catalog.by_token(instrument_token)

    def quote(self, instrument_token: int) -> Quote | None:
        """Latest quote, or None before the first."""
        return self._quotes.get(instrument_token)

    def previous_close(self, instrument_token: int) -> float:
        """Close of the day before in rupees; 0 if unknown."""
        return self._closes.get(instrument_token, 0.0)

    def reference_price(self, instrument_token: int) -> float:
        """Average of the last prices shown within 30 seconds of the latest quote; 0 before it."""
        shown = self._shown.get(instrument_token)
        return sum(price for _, price in shown) / len(shown) if shown else 0.0

    def circuit_limits(self, instrument_token: int) -> tuple[float, float]:
        """Lowest and highest price of the day in rupees; zeros where there is no limit."""
        instrument, quote = self.by_token(instrument_token), self.quote(instrument_token)
        if instrument is None:
            raise NotFound(f"no instrument {instrument_token}")
        last = quote.last_price if quote is not None and instrument.is_option else 0.0
        return self._bands.limits(instrument, last or self.previous_close(instrument_token))

    def is_open(self, instrument: Instrument, at_ms: int) -> bool:
        """Whether the instrument trades at a time (epoch ms); not during a halt."""
        return self._hours.is_open(instrument, at_ms)

    def show(self, instrument_token: int, quote: Quote) -> None:
        """Set an instrument's quote; orders fill from it once, and only if it is a later one."""
        self._quotes[instrument_token] = quote
        shown = self._shown.setdefault(instrument_token, deque())
        shown.append((quote.at_ms, quote.last_price))
        while shown[0][0] < quote.at_ms - _REFERENCE_MS:
            shown.popleft()

    def halt(self, scope: str | None, until_ms: int) -> None:
        """Stop the trading of an exchange, of one `NFO:SYMBOL`, or of everything (None)."""
        self._hours.halt(scope, until_ms)
