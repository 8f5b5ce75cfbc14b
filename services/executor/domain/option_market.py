"""What the executor knows of the market: listed contracts and their latest quotes."""

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from libs.events.event import identity, utc_from_ms
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
        """Take an instrument of the day."""
        self._listed.append(event.instrument())

    def on_ticks(self, batch: TickBatch) -> None:
        """Take the timely quotes of a batch."""
        self._take_listed()
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
        self._take_listed()
        instrument = self._spots.get(underlying)
        quote = self.quotes.quote(instrument.instrument_token) if instrument else None
        return quote.last_price if quote is not None and quote.last_price > 0 else otherwise

    def contracts(
        self, underlying: str, expiry: Literal["weekly", "monthly"], on: date
    ) -> dict[int, Instrument]:
        """Return token → contract of the preferred expiry, empty without one."""
        self._take_listed()
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
        self._take_listed()
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

    def _take_listed(self) -> None:
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
    event_id = identity("ChainSnapshot", view.underlying, view.expiry, view.at_ms)
    tokens = view.instrument_token.tolist()
    floats = ("implied_volatility", "delta", "gamma", "theta", "vega", "rho")
    same = ("strike", "bid_quantity", "ask_quantity", "volume", "oi")
    prices = ("last_price", "bid_price", "ask_price")
    return ChainSnapshot(
        event_id=event_id,
        occurred_at=utc_from_ms(view.at_ms),
        trading_day=day,
        correlation_id=event_id,
        underlying=view.underlying,
        expiry=view.expiry,
        spot=view.spot,
        forward=view.forward,
        instrument_token=tuple(tokens),
        tradingsymbol=tuple(contracts[token].tradingsymbol for token in tokens),
        instrument_type=tuple("CE" if is_call else "PE" for is_call in view.is_call.tolist()),
        **{name: tuple(getattr(view, name).tolist()) for name in same},
        **{name: _numbers(getattr(view, name).tolist(), 0.0) for name in prices},
        **{name: _numbers(getattr(view, name).tolist(), None) for name in floats},
    )


def _numbers(values: list[float], missing: float | None) -> tuple[float | None, ...]:
    return tuple(missing if value != value else value for value in values)  # noqa: PLR0124  nan
