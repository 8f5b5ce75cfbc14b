"""The market side of the exchange: plays a day second by second and answers queries."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from libs.events.ticks import TickColumns
from libs.market.calendar import Calendar
from libs.market.dump import format_dump
from libs.market.instruments import Catalog, Instrument
from libs.market.quotes import Quote
from services.simulator.domain.errors import InputError, NotFound
from services.simulator.domain.feed.listing import Listing, Rows
from services.simulator.domain.feed.packet_rows import packet_rows
from services.simulator.domain.feed.packets import TickRows
from services.simulator.domain.feed.play import Play
from services.simulator.domain.feed.tape import Tape
from services.simulator.domain.market.candles import Candles, of_minutes
from services.simulator.domain.market.frames import Frame
from services.simulator.domain.market.port import Market
from services.simulator.domain.market.price_bands import price_bands
from services.simulator.domain.rest.candle_replies import DayMinutes, Span, candles_reply
from services.simulator.domain.rest.quote_replies import ltp_reply, ohlc_reply, quote_reply

__all__ = ["Board", "Market", "TickRows"]

_SECOND_MS = 1000
_UNLIMITED: Mapping[str, int] = MappingProxyType({})


class Board:
    """One trading day at the exchange, up to the second played last; times in epoch ms.

    Options get a new quote each second and send a packet every `option_seconds`. A board that
    starts at `start_ms` has played the seconds before without sending them. A token or symbol that
    is not listed raises NotFound, unless a method says otherwise.
    """

    def __init__(
        self,
        market: Market,
        calendar: Calendar,
        option_seconds: int = 5,
        start_ms: int | None = None,
    ) -> None:
        self._market, self._calendar = market, calendar
        self._option_seconds = option_seconds
        self._catalog = Catalog(market.instruments)
        self._play = Play(market, calendar)
        self._bands = price_bands(market.trading_day)
        self._frames = market.underlying_frames()
        self._second = -1
        self._next = next(self._frames, None)
        self.now_ms = self._next.at_ms - _SECOND_MS if self._next else 0
        self._play_until(start_ms or 0)

    @property
    def trading_day(self) -> date:
        """Day in India that is played."""
        return self._market.trading_day

    @property
    def instruments(self) -> Sequence[Instrument]:
        """The underlyings, then the options."""
        return self._play.listing.instruments

    @property
    def is_over(self) -> bool:
        """Whether no second is left."""
        return self._next is None

    def advance(self, busy_tokens: Collection[int] = ()) -> TickRows:
        """Play the next second and give the packets it sends; ValueError when the day is over.

        Options of `busy_tokens` send a packet each second.
        """
        rows, ticks = self._play.step(self._take_frame())
        options = self._ticking_options(busy_tokens)
        if options.size:
            rows = np.concatenate((rows, options))
            ticks = TickColumns.concat((ticks, self._tape.latest(options)))
        return packet_rows(self._listing, self._tape, rows, ticks)

    def snapshot(self, tokens: Collection[int]) -> TickRows:
        """Packets of the current state; unknown tokens are ignored."""
        return self._current(self._listing.rows(tokens))

    def find(self, exchange: str, tradingsymbol: str) -> Instrument | None:
        """Instrument of an exchange and symbol, or None."""
        return self._catalog.find(exchange, tradingsymbol)

    def by_token(self, instrument_token: int) -> Instrument | None:
        """Instrument of a token, or None."""
        return self._catalog.by_token(instrument_token)

    def quote(self, instrument_token: int) -> Quote | None:
        """Latest quote, or None before the first tick and for an unknown token."""
        row = self._row(str(instrument_token))
        return None if row is None else self._tape.quote(row)

    def previous_close(self, instrument_token: int) -> float:
        """Close of the trading day before, 0 where unknown."""
        return float(self._tape.close[self._row_of(instrument_token)])

    def reference_price(self, instrument_token: int) -> float:
        """Average trade of the last 30 seconds in rupees; 0 if nothing was traded."""
        return self._play.trades.average(self._row_of(instrument_token))

    def circuit_limits(self, instrument_token: int) -> tuple[float, float]:
        """Lowest and highest price that an order may have; zeros where there is no limit.

        A stock's are around its previous close, an option's around its latest price.
        """
        return self._limits(self._row_of(instrument_token))

    def is_open(self, instrument: Instrument, at_ms: int) -> bool:
        """Whether an instrument trades: its exchange is in session and no halt holds."""
        return self._play.hours.is_open(instrument, at_ms)

    def jump(self, tradingsymbol: str, factor: float) -> None:
        """Multiply an underlying's price from the next second on; InputError unless positive."""
        if not (np.isfinite(factor) and factor > 0):
            raise InputError("the factor of a jump must be positive")
        for row in self._listing.underlyings.tolist():
            if self.instruments[row].tradingsymbol == tradingsymbol:
                return self._play.feed.jump(row, factor)
        raise NotFound(f"no underlying {tradingsymbol}")

    def halt(self, exchange_or_key: str | None, until_ms: int) -> None:
        """Stop ticks and trading of an exchange, of one `NSE:INFY`, or of everything (None)."""
        known = {one.exchange for one in self._catalog} | {one.key for one in self._catalog}
        if exchange_or_key is not None and exchange_or_key not in known:
            raise NotFound(f"no exchange or instrument {exchange_or_key}")
        self._play.hours.halt(exchange_or_key, until_ms)

    def quotes(self, keys: Sequence[str]) -> dict[str, Any]:
        """Data of /quote by key, `NSE:INFY` or a token's digits; unknown keys are left out."""
        listing, tape, now_ms = self._listing, self._tape, self.now_ms
        return self._replies(
            keys, lambda row: quote_reply(listing, tape, row, self._limits(row), now_ms)
        )

    def ohlc(self, keys: Sequence[str]) -> dict[str, Any]:
        """Data of /quote/ohlc, as `quotes`."""
        return self._replies(keys, lambda row: ohlc_reply(self._listing, self._tape, row))

    def ltp(self, keys: Sequence[str]) -> dict[str, Any]:
        """Data of /quote/ltp, as `quotes`."""
        return self._replies(keys, lambda row: ltp_reply(self._listing, self._tape, row))

    def historical(
        self,
        instrument_token: int,
        interval: str,
        from_ms: int,
        to_ms: int,
        oi: bool = False,
        continuous: bool = False,
        span_days: Mapping[str, int] = _UNLIMITED,
    ) -> dict[str, Any]:
        """Data of /instruments/historical: earlier days, and this one as far as it was played.

        `span_days` are the days that a call may span by interval. Raises InputError for an unknown
        token or interval, a span that is too long, and `continuous`, since no futures are listed.
        """
        instrument = self.by_token(instrument_token)
        if instrument is None:
            raise InputError("invalid token")
        if continuous:
            raise InputError("continuous data is there for futures only")
        span = Span(interval, from_ms, to_ms)
        span.check_length(span_days)
        return candles_reply(span, self._days(instrument), oi)

    def instruments_csv(self, exchange: str | None = None) -> str:
        """Kite's dump of all instruments or of an exchange's; NotFound for an unknown one."""
        listed = [one for one in self.instruments if exchange in (None, one.exchange)]
        if not listed:
            raise NotFound(f"no instruments of exchange {exchange}")
        return format_dump(listed)

    @property
    def _listing(self) -> Listing:
        return self._play.listing

    @property
    def _tape(self) -> Tape:
        return self._play.tape

    @cached_property
    def _earlier(self) -> dict[str, list[tuple[date, Candles]]]:
        """Minutes of earlier days by key, since tokens hold within a day only."""
        earlier: dict[str, list[tuple[date, Candles]]] = {}
        for day, instrument, minutes in self._market.history():
            earlier.setdefault(instrument.key, []).append((day, of_minutes(minutes)))
        return earlier

    def _days(self, instrument: Instrument) -> Iterator[DayMinutes]:
        for day, candles in self._earlier.get(instrument.key, ()):
            yield DayMinutes(day, self._calendar.sessions(instrument.exchange, day), candles)
        today = self._play.minutes.candles(self._row_of(instrument.instrument_token))
        yield DayMinutes(self.trading_day, self._play.hours.sessions(instrument.exchange), today)

    def _play_until(self, start_ms: int) -> None:
        while self._next is not None and self._next.at_ms < start_ms:
            self._play.step(self._take_frame())

    def _take_frame(self) -> Frame:
        frame = self._next
        if frame is None:
            raise ValueError("the day is over")
        self._next = next(self._frames, None)
        self._second += 1
        self.now_ms = frame.at_ms
        return frame

    def _ticking_options(self, busy_tokens: Collection[int]) -> Rows:
        options = self._play.open_options(self.now_ms)
        if self._second % self._option_seconds == 0:
            return options
        return options[np.isin(options, self._listing.rows(busy_tokens))]

    def _current(self, rows: Rows) -> TickRows:
        return packet_rows(self._listing, self._tape, rows, self._tape.latest(rows))

    def _limits(self, row: int) -> tuple[float, float]:
        instrument, tape = self.instruments[row], self._tape
        references = tape.last_price if instrument.is_option else tape.close
        return self._bands.limits(instrument, float(references[row]))

    def _replies(
        self, keys: Sequence[str], reply: Callable[[int], dict[str, Any]]
    ) -> dict[str, Any]:
        rows = {key: self._row(key) for key in keys}
        return {key: reply(row) for key, row in rows.items() if row is not None}

    def _row(self, key: str) -> int | None:
        """Row of an `NSE:INFY` or of a token's digits."""
        exchange, _, tradingsymbol = key.partition(":")
        if key.isascii() and key.isdigit():
            instrument = self._catalog.by_token(int(key))
        else:
            instrument = self._catalog.find(exchange, tradingsymbol)
        return None if instrument is None else self._row_of(instrument.instrument_token)

    def _row_of(self, instrument_token: int) -> int:
        rows = self._listing.rows([instrument_token])
        if not rows.size:
            raise NotFound(f"no instrument {instrument_token}")
        return int(rows[0])
