"""One underlying with a few options, whose premiums follow a path; as exchange and as feed."""

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import numpy as np

from libs.events.event import Event, identity, utc_from_ms
from libs.events.instruments import InstrumentListed
from libs.events.ticks import TickBatch, TickColumns
from libs.market.greeks import price
from libs.market.instruments import Catalog, Instrument
from libs.market.quotes import Quote
from tests.unit.services.executor.builders import (
    EXPIRY,
    INDEX_TOKEN,
    SPOT,
    at,
    index,
    listed,
    option,
)

STRIKES = (24_950, 25_000, 25_050)
HALF_SPREAD = 0.05
VOLUME, OPEN_INTEREST = 5_000, 50_000
_YEAR_MS = 365 * 24 * 3600 * 1000


@dataclass(frozen=True)
class Listing:
    """What never changes: instruments, their events, and premiums at the start (rupees)."""

    options: tuple[Instrument, ...]
    catalog: Catalog
    events: tuple[InstrumentListed, ...]
    tokens: Any
    premiums: Any


@cache
def listing(now_ms: int) -> Listing:
    """Return the options around the money, each at its Black-76 value."""
    options = tuple(option(strike, kind) for strike in STRIKES for kind in ("CE", "PE"))
    years = (at(15, 30, day=EXPIRY) - now_ms) / _YEAR_MS
    values = [
        float(price(SPOT, one.strike, years, 0.06, 0.12, one.instrument_type == "CE"))
        for one in options
    ]
    everything = (index(), *options)
    return Listing(
        options,
        Catalog(everything),
        tuple(listed(one) for one in everything),
        np.array([one.instrument_token for one in everything], "<u4"),
        np.round(np.array([SPOT, *values]) / 0.05) * 0.05,
    )


class Market:
    """The exchange's quotes: premiums times `factor`, so many units on each side."""

    def __init__(self, trading_day: date, start_ms: int, quantity: int) -> None:
        self.trading_day = trading_day
        self.listing = listing(start_ms)
        self.quantity = quantity
        self.factor = 1.0
        self.at_ms = start_ms
        self.averages = 1
        """Over how many seconds the exchange averages; it does so over 30."""
        self._shown: list[float] = []
        self._index_of = {int(token): row for row, token in enumerate(self.listing.tokens)}

    def move(self, at_ms: int, factor: float, quantity: int) -> None:
        """Quote all options anew."""
        self.at_ms, self.factor, self.quantity = at_ms, factor, quantity
        self._shown = [*self._shown, factor][-self.averages :]

    def find(self, exchange: str, tradingsymbol: str) -> Instrument | None:
        """Return an instrument by its symbol."""
        return self.listing.catalog.find(exchange, tradingsymbol)

    def by_token(self, instrument_token: int) -> Instrument | None:
        """Return an instrument by its token."""
        return self.listing.catalog.by_token(instrument_token)

    def quote(self, instrument_token: int) -> Quote | None:
        """Return the quote of the second played last."""
        row = self._index_of.get(instrument_token)
        if row is None:
            return None
        last, bid, ask = self._prices(row)
        return Quote(self.at_ms, last, 0, 0, bid, self.quantity, ask, self.quantity)

    def previous_close(self, instrument_token: int) -> float:
        """Return 0: not known."""
        return 0.0

    def reference_price(self, instrument_token: int) -> float:
        """Return the average price of the last seconds by which limit prices are judged."""
        row, shown = self._index_of[instrument_token], self._shown or [self.factor]
        return float(self.listing.premiums[row]) * sum(shown) / len(shown)

    def circuit_limits(self, instrument_token: int) -> tuple[float, float]:
        """Return that there are none."""
        return 0.0, 0.0

    def is_open(self, instrument: Instrument, at_ms: int) -> bool:
        """Return True: the day that is played has no end."""
        return True

    def ticks(self, at_ms: int) -> TickBatch:
        """Return the quotes of all instruments as the feed sends them."""
        last = np.round(self.listing.premiums * self._factors() / 0.05) * 0.05
        rows = len(last)
        bid, ask = last - HALF_SPREAD, last + HALF_SPREAD
        bid[0] = ask[0] = 0.0
        columns = TickColumns(
            instrument_token=self.listing.tokens,
            exchange_timestamp=np.full(rows, self.at_ms, "<i8"),
            last_price=last,
            volume_traded=np.full(rows, VOLUME, "<i8"),
            oi=np.full(rows, OPEN_INTEREST, "<i8"),
            bid_price=bid,
            bid_quantity=np.full(rows, self.quantity, "<i8"),
            ask_price=ask,
            ask_quantity=np.full(rows, self.quantity, "<i8"),
        )
        event_id = identity("TickBatch", at_ms)
        return TickBatch(
            event_id=event_id,
            occurred_at=utc_from_ms(at_ms),
            trading_day=self.trading_day,
            correlation_id=event_id,
            source="chaos",
            connection=0,
            sequence=0,
            partition=0,
            clock_ms=at_ms,
            received_ms=at_ms,
            columns=columns,
        )

    def listed(self) -> tuple[Event, ...]:
        """Return what is announced in the morning."""
        return self.listing.events

    def _factors(self) -> Any:
        factors = np.full(len(self.listing.tokens), self.factor)
        factors[self._index_of[INDEX_TOKEN]] = 1.0
        return factors

    def _prices(self, row: int) -> tuple[float, float, float]:
        last = round(round(float(self.listing.premiums[row]) * self.factor / 0.05) * 0.05, 2)
        return last, round(last - HALF_SPREAD, 2), round(last + HALF_SPREAD, 2)
