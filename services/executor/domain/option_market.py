"""What the executor knows of the market: listed contracts and their latest quotes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from math import isnan
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from libs.events.event import utc_from_ms
from libs.events.instruments import ChainSnapshot, InstrumentListed
from libs.events.ticks import TickBatch
from libs.market.calendar import Calendar, CalendarError
from libs.market.instruments import Catalog, Instrument, underlying_name
from libs.market.option_chain import ChainView, chain_view, nearest_expiry
from libs.market.quotes import QuoteBook

MINUTE_MS = 60_000


@dataclass(slots=True)
class OptionMarket:
    """Contracts and quotes. An underlying is found by the `name` of its options in the dump."""

    calendar: Calendar
    rate: float
    quotes: QuoteBook = field(default_factory=QuoteBook)
    _catalog: Catalog = field(default_factory=Catalog)
    _listed: list[Instrument] = field(default_factory=list)
    _spots: dict[str, Instrument] = field(default_factory=dict)
    _snapshot_minute: int = -1

    def list_instrument(self, event: InstrumentListed) -> None:
        """Add an instrument of the day."""
        self._listed.append(event.instrument())

    def list_all(self, instruments: Iterable[Instrument]) -> None:
        """Add instruments at once; their quotes count from now on."""
        self._listed.extend(instruments)
        self._add_listed()

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

    def spot(self, underlying: str, otherwise: float) -> float:
        """Return the last price of the underlying, or the price given when it has no quote."""
        self._add_listed()
        instrument = self._spots.get(underlying)
        quote = self.quotes.quote(instrument.instrument_token) if instrument else None
        return quote.last_price if quote is not None and quote.last_price > 0 else otherwise

    def contracts(
        self, underlying: str, expiry: Literal["weekly", "monthly"], on: date
    ) -> dict[int, Instrument]:
        """Return token → contract of the preferred expiry, empty without one."""
        self._add_listed()
        chosen = nearest_expiry(
            self._catalog.expiries(underlying), on, is_monthly=expiry == "monthly"
        )
        if chosen is None:
            return {}
        return {one.instrument_token: one for one in self._catalog.options(underlying, chosen)}

    def view(self, contracts: dict[int, Instrument], spot: float, at_ms: int) -> ChainView | None:
        """Value a chain now; None when its expiry is over or no session is known for it."""
        expiry = next(iter(contracts.values())).expiry
        closes_ms = self.closes_ms(expiry) if expiry else None
        if closes_ms is None or closes_ms <= at_ms:
            return None
        return chain_view(list(contracts.values()), self.quotes, spot, at_ms, closes_ms, self.rate)

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
        contracts = self.contracts(underlying, "weekly", day)
        spot = self.spot(underlying, 0.0)
        view = self.view(contracts, spot, now_ms) if contracts and spot > 0 else None
        if view is None or view.quoted_at_ms.max() <= now_ms - MINUTE_MS:
            return None
        return _snapshot(view, contracts, day)

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
        self._listed = []

    def closes_ms(self, day: date) -> int | None:
        """Return when options close on a day (epoch ms), None if they do not trade on it."""
        try:
            sessions = self.calendar.sessions("NFO", day)
        except CalendarError:
            return None
        return sessions[-1].close_ms if sessions else None


def _snapshot(view: ChainView, contracts: dict[int, Instrument], day: date) -> ChainSnapshot:
    parts = (view.underlying, view.expiry, view.at_ms)
    envelope = ChainSnapshot.without_cause(
        *parts, occurred_at=utc_from_ms(view.at_ms), trading_day=day
    )
    tokens = view.instrument_token.tolist()
    return ChainSnapshot(
        **envelope,
        underlying=view.underlying,
        expiry=view.expiry,
        spot=view.spot,
        forward=view.forward,
        instrument_token=tuple(tokens),
        tradingsymbol=tuple(contracts[token].tradingsymbol for token in tokens),
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
