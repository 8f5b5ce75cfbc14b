"""What the executor knows of the market: listed contracts and their latest quotes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from math import isnan

import numpy as np
from numpy.typing import NDArray

from libs.events.event import utc_from_ms
from libs.events.instruments import ChainSnapshot, InstrumentListed
from libs.events.ticks import TickBatch
from libs.market.calendar import Calendar, CalendarError, Session, day_in_india
from libs.market.instruments import Catalog, Instrument, underlying_name
from libs.market.option_chain import Chain, ChainView
from libs.market.quotes import QuoteBook

MINUTE_MS = 60_000
_WARNED_DAYS = 42
_USUAL = "NFO"


@dataclass(frozen=True, slots=True)
class Spot:
    """A price of an underlying: what it is of, rupees, and its time (epoch ms)."""

    name: str
    price: float
    at_ms: int
    is_index: bool = False


@dataclass(slots=True)
class OptionMarket:
    """Contracts and quotes. An underlying is found by the `name` of its options in the dump.

    The contracts are those listed on the latest day: a listing of another day never trades, and
    a token's quote does not outlive the day, since the token may belong to another contract then.
    """

    calendar: Calendar
    rate: float
    quotes: QuoteBook = field(default_factory=QuoteBook)
    _catalog: Catalog = field(default_factory=Catalog)
    _listed: list[Instrument] = field(default_factory=list)
    _spots: dict[str, Instrument] = field(default_factory=dict)
    _chains: dict[tuple[str, date], Chain] = field(default_factory=dict)
    _sessions: dict[tuple[str, date], tuple[Session, ...]] = field(default_factory=dict)
    _day: date | None = None
    _snapshot_minute: int = -1

    @property
    def day(self) -> date | None:
        """The day whose listing counts; None if contracts were listed without one."""
        return self._day

    def list_instrument(self, event: InstrumentListed) -> None:
        """Add an instrument of a day; the first of a later day replaces all earlier ones."""
        day = event.trading_day
        if self._day is not None and day < self._day:
            return
        if day != self._day:
            self._begin(day)
        self._listed.append(event.instrument())

    def list_all(self, instruments: Iterable[Instrument]) -> None:
        """Add instruments at once, of no particular day; their quotes count from now on."""
        self._listed.extend(instruments)
        self._add_listed()

    def _begin(self, day: date) -> None:
        """Forget listing and quotes; ticks of what is held from an earlier day are still taken."""
        followed = [one.instrument_token for one in (*self._catalog, *self._listed)]
        self._day, self.quotes = day, QuoteBook(followed)
        self._catalog, self._listed = Catalog(), []
        self._spots, self._chains, self._sessions = {}, {}, {}

    def on_ticks(self, batch: TickBatch) -> None:
        """Store the timely quotes of a batch."""
        self._add_listed()
        columns = batch.timely()
        if len(columns):
            self.quotes.update(
                columns.instrument_token,
                columns.exchange_timestamp,
                columns.last_price,
                columns.volume_traded,
                columns.oi,
                columns.bid_price,
                columns.bid_quantity,
                columns.ask_price,
                columns.ask_quantity,
            )

    def spot(self, underlying: str) -> Spot | None:
        """Return the latest price of an underlying, None without a quote."""
        self._add_listed()
        instrument = self._spots.get(underlying)
        quote = self.quotes.quote(instrument.instrument_token) if instrument else None
        if instrument is None or quote is None or not quote.last_price > 0:
            return None
        return Spot(instrument.tradingsymbol, quote.last_price, quote.at_ms, instrument.is_index)

    def is_open(self, exchange: str, now_ms: int) -> bool:
        """Return whether the contracts of an exchange trade at a time (epoch ms)."""
        day = day_in_india(now_ms)
        return any(one.open_ms <= now_ms < one.close_ms for one in self._sessions_of(exchange, day))

    def exchange_of(self, underlying: str) -> str:
        """Return where the options of an underlying are listed; NFO if they are not."""
        self._add_listed()
        nearest = self._catalog.expiries(underlying)[:1]
        return self.chain(underlying, nearest[0]).exchange if nearest else _USUAL

    def is_index(self, underlying: str) -> bool:
        """Return whether an underlying is an index; one that is not listed is taken for one."""
        self._add_listed()
        instrument = self._spots.get(underlying)
        return instrument is None or instrument.is_index

    def expiries(self, underlying: str, on: date) -> tuple[date, ...]:
        """Return the listed expiries of an underlying from a day on, nearest first."""
        self._add_listed()
        return tuple(one for one in self._catalog.expiries(underlying) if one >= on)

    def chain(self, underlying: str, expiry: date) -> Chain:
        """Return a listed chain; KeyError if it is not listed."""
        self._add_listed()
        key = underlying, expiry
        if key not in self._chains:
            contracts = self._catalog.options(underlying, expiry)
            if not contracts:
                raise KeyError(key)
            self._chains[key] = Chain.of(contracts)
        return self._chains[key]

    def view(
        self, chain: Chain, spot: float, at_ms: int, budget_ms: int | None = None
    ) -> ChainView | None:
        """Value a chain now; None when its expiry is over or no session is known for it.

        Quotes older than the budget have no part in it.
        """
        closes_ms = self.closes_ms(chain.exchange, chain.expiry)
        if closes_ms is None or closes_ms <= at_ms:
            return None
        return chain.view(self.quotes, spot, at_ms, closes_ms, self.rate, budget_ms)

    def snapshots(self, now_ms: int, day: date) -> tuple[ChainSnapshot, ...]:
        """Return, once a minute, the nearest chain of each underlying that is quoted."""
        if now_ms // MINUTE_MS <= self._snapshot_minute:
            return ()
        self._add_listed()
        of_each = (self._snapshot_of(name, now_ms, day) for name in sorted(self._spots))
        snapshots = tuple(one for one in of_each if one is not None)
        self._snapshot_minute = now_ms // MINUTE_MS
        return snapshots

    def _snapshot_of(self, underlying: str, now_ms: int, day: date) -> ChainSnapshot | None:
        expiries, spot = self.expiries(underlying, day), self.spot(underlying)
        if not expiries or spot is None:
            return None
        chain = self.chain(underlying, expiries[0])
        view = self.view(chain, spot.price, now_ms, MINUTE_MS)
        if view is None or view.quoted_at_ms.max() <= now_ms - MINUTE_MS:
            return None
        return _snapshot(view, chain, day)

    def _add_listed(self) -> None:
        if not self._listed:
            return
        self._catalog = self._catalog.with_instruments(self._listed)
        self.quotes.register([one.instrument_token for one in self._listed])
        optioned = {one.name for one in self._catalog if one.is_option}
        named = {
            underlying_name(one.tradingsymbol): one
            for one in self._catalog
            if one.instrument_type == "EQ"
        }
        self._spots = {name: one for name, one in named.items() if name in optioned}
        self._listed, self._chains = [], {}

    def calendar_warning(self, day: date) -> str | None:
        """Return that the calendar ends soon, from six weeks ahead on, or None."""
        last = self.calendar.last_day
        left = (last - day).days
        if left >= _WARNED_DAYS:
            return None
        return f"the calendar ends on {last}, {left} days from now: later expiries are not traded"

    def closes_ms(self, exchange: str, day: date) -> int | None:
        """Return when contracts of an exchange close on a day (epoch ms), None if they are shut."""
        sessions = self._sessions_of(exchange, day)
        return sessions[-1].close_ms if sessions else None

    def _sessions_of(self, exchange: str, day: date) -> tuple[Session, ...]:
        """Return the sessions of a day, none where the calendar has none."""
        key = exchange, day
        if key not in self._sessions:
            try:
                self._sessions[key] = self.calendar.sessions(exchange, day)
            except CalendarError:
                self._sessions[key] = ()
        return self._sessions[key]


def _snapshot(view: ChainView, chain: Chain, day: date) -> ChainSnapshot:
    parts = (view.underlying, view.expiry, view.at_ms)
    envelope = ChainSnapshot.without_cause(
        *parts, occurred_at=utc_from_ms(view.at_ms), trading_day=day
    )
    return ChainSnapshot(
        **envelope,
        underlying=view.underlying,
        expiry=view.expiry,
        spot=view.spot,
        forward=view.forward,
        instrument_token=tuple(view.instrument_token.tolist()),
        tradingsymbol=tuple(one.tradingsymbol for one in chain.contracts),
        instrument_type=tuple("CE" if is_call else "PE" for is_call in view.is_call.tolist()),
        strike=tuple(view.strike.tolist()),
        last_price=_prices(view.last_price),
        bid_price=_prices(view.bid_price),
        bid_quantity=tuple(view.bid_quantity.tolist()),
        ask_price=_prices(view.ask_price),
        ask_quantity=tuple(view.ask_quantity.tolist()),
        volume=tuple(view.volume.tolist()),
        oi=tuple(view.oi.tolist()),
        implied_volatility=_solved(view.implied_volatility),
        delta=_solved(view.delta),
        gamma=_solved(view.gamma),
        theta=_solved(view.theta),
        vega=_solved(view.vega),
        rho=_solved(view.rho),
    )


def _prices(column: NDArray[np.float64]) -> tuple[float, ...]:
    """Return prices, 0 where there is none."""
    return tuple(0.0 if isnan(value) else value for value in column.tolist())


def _solved(column: NDArray[np.float64]) -> tuple[float | None, ...]:
    """Return values, None for those without a solution."""
    return tuple(None if isnan(value) else value for value in column.tolist())
