"""The state of a day that is being played, carried from second to second."""

from datetime import date

import numpy as np

from libs.events.ticks import TickColumns
from libs.market.arrays import FloatArray
from libs.market.calendar import Calendar
from services.simulator.domain.feed.listing import Listing, Rows
from services.simulator.domain.feed.minute_candles import MinuteCandles
from services.simulator.domain.feed.recent_trades import RecentTrades
from services.simulator.domain.feed.tape import Tape
from services.simulator.domain.feed.underlying_feed import UnderlyingFeed
from services.simulator.domain.market.frames import Frame
from services.simulator.domain.market.port import Market
from services.simulator.domain.market.trading_hours import TradingHours

_CASH, _OPTIONS = "NSE", "NFO"
_SECOND_MS = 1000


class Play:
    """Tape and minutes of all instruments after the frames played so far."""

    def __init__(self, market: Market, calendar: Calendar) -> None:
        self._market = market
        self.listing = Listing(market.instruments)
        self.hours = TradingHours(calendar, market.trading_day)
        self.tape = Tape(self.listing, _closes(market, calendar, self.listing))
        sessions = (*self.hours.sessions(_CASH), *self.hours.sessions(_OPTIONS))
        self.minutes = MinuteCandles(sessions, len(self.listing))
        self.trades = RecentTrades()
        self.feed = UnderlyingFeed(self.listing, self.hours, self.tape)

    def step(self, frame: Frame) -> tuple[Rows, TickColumns]:
        """Play a frame; gives the rows and ticks of the underlyings that arrive in it."""
        rows, ticks = self.feed.arrived(frame)
        sound_rows, sound = self.feed.sound(rows, ticks, frame.at_ms)
        self.tape.absorb(sound_rows, sound)
        in_session = self.feed.in_session(sound.exchange_timestamp)
        self.minutes.fold(sound_rows[in_session], sound.take(in_session))
        self._quote_options(frame.at_ms)
        self.trades.note(self.tape)
        return rows, ticks

    def open_options(self, at_ms: int) -> Rows:
        """Rows of the options that are traded now."""
        if not self.hours.is_session(_OPTIONS, at_ms):
            return self.listing.options[:0]
        return self.listing.options[~self.feed.is_halted(self.listing.options, at_ms)]

    def _quote_options(self, at_ms: int) -> None:
        rows = self.open_options(at_ms)
        if not rows.size:
            return
        ticks = self._market.option_quotes(self._spots(), at_ms)
        if rows.size < len(ticks):
            ticks = ticks.take(np.searchsorted(self.listing.options, rows))
        self.tape.absorb(rows, ticks)
        self.minutes.fold(rows, ticks)

    def _spots(self) -> dict[str, float]:
        known = self.listing.underlyings[self.tape.at_ms[self.listing.underlyings] > 0]
        instruments = self.listing.instruments
        return {instruments[row].tradingsymbol: self.tape.last_price[row].item() for row in known}


def _closes(market: Market, calendar: Calendar, listing: Listing) -> FloatArray:
    """Previous close of each instrument, 0 where unknown.

    That of an option is what it was worth at the previous closes of the underlyings.
    """
    closes = market.previous_closes()
    prices = np.array([closes.get(one.tradingsymbol, 0.0) for one in listing.instruments])
    if listing.options.size:
        at_ms = _last_second(calendar, market.trading_day)
        prices[listing.options] = market.option_quotes(closes, at_ms).last_price
    return prices


def _last_second(calendar: Calendar, trading_day: date) -> int:
    before = calendar.previous_trading_day(_OPTIONS, trading_day)
    return calendar.sessions(_OPTIONS, before)[-1].close_ms - _SECOND_MS
