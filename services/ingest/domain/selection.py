"""What the rules of each asset class choose from the day's listing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, NamedTuple

from libs.broker.port.market import Mode
from libs.market.calendar import Calendar
from libs.market.instruments import Instrument, underlying_name
from services.ingest.domain.chains import FollowedChain, coming
from services.ingest.domain.day_listing import DayListing
from services.ingest.domain.near_month import near_expiries
from services.ingest.domain.universe_rules import (
    COMMODITIES,
    OPTIONS_OF,
    CommodityRules,
    FutureRules,
    UniverseRules,
)

AssetClass = Literal["underlying", "equity", "index", "future", "option", "commodity"]
_EQUITY, _INDICES = "NSE", "INDICES"


class Missing(NamedTuple):
    """What the dump does not hold: its key, and a line that says so."""

    key: str
    reason: str


class Chosen(NamedTuple):
    """An instrument that is always followed, why, and in which mode."""

    instrument: Instrument
    asset_class: AssetClass
    mode: Mode


@dataclass(slots=True)
class Selection:
    """Chooses by the rules; what is not listed is `missing`, what has no options is named.

    `before`: tokens by key of the day before, to find a share that was renamed.
    """

    listing: DayListing
    rules: UniverseRules
    on: date
    calendar: Calendar
    before: Mapping[str, int]
    chosen: list[Chosen] = field(default_factory=list)
    chains: list[FollowedChain] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    without_options: list[str] = field(default_factory=list)

    def choose(self) -> None:
        """Choose of every asset class; the underlyings come first."""
        self._choose_underlyings()
        self._choose_spots()
        self._choose_futures(self.rules.futures)
        self._choose_contracts()
        self._choose_commodities(self.rules.commodity)

    def _choose_underlyings(self) -> None:
        for key in self.rules.underlyings:
            underlying = self._named(key)
            if underlying is not None:
                self.chosen.append(Chosen(underlying, "underlying", "full"))
                self._chain(underlying, OPTIONS_OF[underlying.exchange], self.rules)

    def _choose_spots(self) -> None:
        equity, index = self.rules.equity, self.rules.index
        for key in equity.names:
            self._add(self._named(key), "equity", equity.mode)
        for key in index.names:
            self._add(self._named(key), "index", index.mode)
        optioned = self.listing.options("NFO")
        for one in self.listing.spots:
            if one.segment == _INDICES and one.exchange == _EQUITY and index.rule == "all":
                self._add(one, "index", index.mode)
            elif one.segment == _EQUITY and equity.rule != "none":
                name = underlying_name(one.tradingsymbol)
                if equity.rule == "all" or optioned.expiries(name):
                    self._add(one, "equity", equity.mode)

    def _choose_futures(self, rules: FutureRules) -> None:
        keys = list(self.rules.future_keys)
        if rules.rule == "all":
            keys += [("NFO", name) for name in self.listing.future_names("NFO")]
        for exchange, name in dict.fromkeys(keys):
            for one in self._near(exchange, name, rules):
                self._add(one, "future", rules.mode)

    def _choose_contracts(self) -> None:
        for key in self.rules.options.names:
            self._add(self._named(key), "option", self.rules.options.mode)

    def _choose_commodities(self, rules: CommodityRules) -> None:
        names = list(rules.names)
        if rules.rule == "all":
            names += self.listing.future_names(COMMODITIES)
        for name in dict.fromkeys(names):
            for one in self._near(COMMODITIES, name, rules):
                self._add(one, "commodity", rules.mode)
            if rules.expiries and self.listing.futures(COMMODITIES, name):
                self._choose_commodity_options(name, rules)

    def _choose_commodity_options(self, name: str, rules: CommodityRules) -> None:
        """Choose options of a commodity, and the future that each expiry is an option on."""
        futures = self.listing.futures(COMMODITIES, name)
        found = coming(self.listing.options(COMMODITIES), name, rules.expiries, self.on)
        for contracts in found:
            expiry = contracts[0].expiry or self.on
            later = [one for at, one in sorted(futures.items()) if at >= expiry]
            if later:
                self._add(later[0], "commodity", rules.mode)
                chain = FollowedChain.of(later[0], contracts, rules.near_strikes, rules.mode)
                self.chains.append(chain)
        if not found:
            self.without_options.append(f"{COMMODITIES}:{name}")

    def _chain(self, underlying: Instrument, exchange: str, rules: UniverseRules) -> None:
        name = underlying_name(underlying.tradingsymbol)
        found = coming(self.listing.options(exchange), name, rules.expiries, self.on)
        for contracts in found:
            near, mode = rules.near_strikes, rules.options.mode
            self.chains.append(FollowedChain.of(underlying, contracts, near, mode))
        if not found:
            self.without_options.append(underlying.key)

    def _near(
        self, exchange: str, name: str, rules: FutureRules | CommodityRules
    ) -> Iterator[Instrument]:
        listed = self.listing.futures(exchange, name)
        days = near_expiries(
            listed, self.on, rules.months, rules.roll_days, self.calendar, exchange
        )
        if not days:
            reason = f"{exchange} lists no future of {name}{self.listing.near_name(exchange, name)}"
            self.missing.append(Missing(f"{exchange}:{name}", reason))
        return (listed[day] for day in days)

    def _named(self, key: str) -> Instrument | None:
        found = self.listing.find(key)
        if found is None:
            reason = self.listing.absence(key, self.before.get(key))
            self.missing.append(Missing(key, reason))
        return found

    def _add(self, one: Instrument | None, asset_class: AssetClass, mode: Mode) -> None:
        if one is not None:
            self.chosen.append(Chosen(one, asset_class, mode))
