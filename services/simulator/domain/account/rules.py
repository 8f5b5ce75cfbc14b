"""What holds for an account: its own rules, and the day's limits of Kite and the exchange."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any, TypeVar

from libs.market.dated import DatedSeries
from libs.market.instruments import Instrument
from libs.market.packaged import kept, load_table

T = TypeVar("T")

Bands = tuple[tuple[Decimal, Decimal], ...]


@dataclass(frozen=True, slots=True)
class AccountRules:
    """How the simulated broker treats an account.

    `funds` in rupees at the start; `latency_ms` from a request to the exchange's book;
    `immediate_ms` is how long an IOC order in the book waits for a quote; `fill_fraction` of the
    quoted quantity is what the account's orders may take together. `app_id` and `api_secret` go
    into the order updates, the secret through their checksum only.
    """

    funds: Decimal = Decimal(1_000_000)
    latency_ms: int = 500
    immediate_ms: int = 2_000
    fill_fraction: Decimal = Decimal(1)
    app_id: int = 0
    api_secret: str = ""


@dataclass(frozen=True, slots=True)
class PriceReach:
    """How far a price may be from its reference: rupees, from a boundary on percent."""

    boundary: Decimal
    rupees: Decimal
    percent: Decimal

    def reach(self, reference: Decimal) -> Decimal:
        """Distance in rupees that a price may have from its reference."""
        return self.rupees if reference < self.boundary else reference * self.percent / 100


@dataclass(frozen=True, slots=True)
class OptionMargin:
    """Approximate margin of short options, percent of strike times quantity.

    `hedged` is the fraction of the SPAN part that remains against a long option.
    """

    span: Decimal
    exposure: Decimal
    hedged: Decimal


@dataclass(frozen=True, slots=True)
class EquityCharges:
    """Charges on equities as fractions of turnover; `brokerage_cap` in rupees an order."""

    brokerage: Decimal
    brokerage_cap: Decimal
    stt_delivery: Decimal
    stt_intraday_sale: Decimal
    exchange: Decimal
    sebi: Decimal
    stamp_delivery: Decimal
    stamp_intraday: Decimal
    gst: Decimal


@dataclass(frozen=True, slots=True)
class TradingLimits:
    """The limits in force on one day, read from the packaged data file."""

    order_modifications: int
    tag_length: int
    slices: int
    equity_order_quantity: int
    amo_pauses: dict[str, tuple[time, time]]
    requires_market_protection: bool
    option_protection: Bands
    equity_protection: Bands
    index_price_protection: PriceReach
    stock_price_protection: PriceReach
    option_stop_gap: PriceReach
    equity_stop_gap: PriceReach
    option_stop_market: bool
    index_option_margin: OptionMargin
    stock_option_margin: OptionMargin
    equity_intraday_leverage: Decimal
    equity_charges: EquityCharges

    def automatic_protection(self, instrument: Instrument, last_price: Decimal) -> Decimal:
        """Percent of the last price within which an automatically protected order may fill."""
        bands = self.option_protection if instrument.is_option else self.equity_protection
        return next(percent for below, percent in bands if last_price < below)

    def price_protection(self, is_index_option: bool) -> PriceReach:
        """How far on the wrong side of its reference the limit of an option's order may be."""
        return self.index_price_protection if is_index_option else self.stock_price_protection

    def stop_gap(self, instrument: Instrument) -> PriceReach:
        """How far the limit of a stop-limit order may be from its trigger."""
        return self.option_stop_gap if instrument.is_option else self.equity_stop_gap

    def pauses_amo(self, segment: str, at: time) -> bool:
        """Whether the broker takes no after-market order at this hour in India."""
        opens, closes = self.amo_pauses[segment]
        return opens <= at < closes


@kept
def trading_limits(on: date) -> TradingLimits:
    """Limits in force on a day; before the first known date the nearest ones."""
    table = load_table("trading_limits.toml")

    def at(name: str, read: Callable[[Any], T]) -> T:
        return read(_value(table[name], on))

    return TradingLimits(
        order_modifications=at("order_modifications", int),
        tag_length=at("tag_length", int),
        slices=at("slices", int),
        equity_order_quantity=at("equity_order_quantity", int),
        amo_pauses=at("amo_pauses", _hours),
        requires_market_protection=at("requires_market_protection", bool),
        option_protection=at("option_protection", _bands),
        equity_protection=at("equity_protection", _bands),
        index_price_protection=PriceReach(**at("index_price_protection", _amounts)),
        stock_price_protection=PriceReach(**at("stock_price_protection", _amounts)),
        option_stop_gap=PriceReach(**at("option_stop_gap", _amounts)),
        equity_stop_gap=PriceReach(**at("equity_stop_gap", _amounts)),
        option_stop_market=at("option_stop_market", bool),
        index_option_margin=OptionMargin(**at("index_option_margin", _amounts)),
        stock_option_margin=OptionMargin(**at("stock_option_margin", _amounts)),
        equity_intraday_leverage=at("equity_intraday_leverage", Decimal),
        equity_charges=EquityCharges(**at("equity_charges", _amounts)),
    )


def _value(entries: Iterable[dict[str, Any]], on: date) -> Any:
    return DatedSeries.of(entries).at(on).value


def _hours(pauses: Iterable[tuple[str, time, time]]) -> dict[str, tuple[time, time]]:
    return {segment: (opens, closes) for segment, opens, closes in pauses}


def _bands(bands: Iterable[tuple[str, str]]) -> Bands:
    return tuple((Decimal(below), Decimal(percent)) for below, percent in bands)


def _amounts(amounts: dict[str, str]) -> dict[str, Decimal]:
    return {name: Decimal(amount) for name, amount in amounts.items()}
