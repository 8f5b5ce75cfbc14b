"""Which instruments are subscribed to: underlyings, and their options near the money."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Annotated, NamedTuple

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass as pydantic_dataclass

from libs.errors import AlphaStocksError
from libs.market.bounds import STRICT, refuse
from libs.market.instruments import Catalog, Instrument, underlying_name
from libs.market.names import listed_key, nearest
from libs.market.units import Count

OPTIONS_OF: Mapping[str, str] = {"NSE": "NFO", "BSE": "BFO"}
"""Exchange of an underlying → where its options are listed."""


class UniverseError(AlphaStocksError):
    """A universe of which nothing is in the dump, or one that is too large."""


class Missing(NamedTuple):
    """An underlying that the dump does not hold: its key, and a line that says so."""

    key: str
    reason: str


@pydantic_dataclass(frozen=True, slots=True, config=STRICT)
class UniverseRules:
    """Which instruments are subscribed to.

    `underlyings` as exchange:tradingsymbol, of NSE or BSE; of each the nearest `expiries` are
    listed, and `near_strikes` strikes each side of the money are quoted. `most`: instruments of a
    connection.
    """

    underlyings: tuple[Annotated[str, AfterValidator(listed_key)], ...]
    expiries: Annotated[int, Count(1, 24, of="expiries")] = 2
    near_strikes: Annotated[int, Count(0, 100, of="strikes")] = 5
    most: Annotated[int, Count(1, 3000, of="instruments")] = 3000

    def __post_init__(self) -> None:
        if not self.underlyings:
            refuse("underlyings", "none is named, so nothing would be followed")
        twice = [key for key, times in Counter(self.underlyings).items() if times > 1]
        if twice:
            refuse("underlyings", f"{twice[0]!r} is named twice")
        if len(self.underlyings) > self.most:
            refuse("underlyings", f"{len(self.underlyings)} are more than most, {self.most}")
        self._refuse_two_exchanges()

    @property
    def exchanges(self) -> tuple[str, ...]:
        """Exchanges of the underlyings, and those of their options."""
        own = {key.partition(":")[0] for key in self.underlyings}
        return (*sorted(own), *sorted(OPTIONS_OF[one] for one in own))

    def _refuse_two_exchanges(self) -> None:
        """Refuse options of one name from two exchanges: a signal would not say which it means."""
        by_name: dict[str, str] = {}
        for key in self.underlyings:
            other = by_name.setdefault(underlying_name(key), key)
            if other.partition(":")[0] != key.partition(":")[0]:
                refuse("underlyings", f"{other!r} and {key!r} are one underlying: name one of them")


@dataclass(frozen=True, slots=True)
class _Chain:
    """The listed options of one underlying and expiry: tokens by strike, ascending."""

    underlying_token: int
    strikes: tuple[float, ...]
    tokens: tuple[tuple[int, ...], ...]

    def near(self, spot: float, strikes_each_side: int) -> Iterable[int]:
        """Return the tokens of the strikes around the one nearest to the spot."""
        at = min(range(len(self.strikes)), key=lambda i: abs(self.strikes[i] - spot))
        first, last = max(0, at - strikes_each_side), at + strikes_each_side + 1
        return (token for tokens in self.tokens[first:last] for token in tokens)


class Universe:
    """The chosen underlyings and their listed options.

    Underlyings that the dump does not hold are `missing`, the others are followed; UniverseError
    if none is left. `without_options` are those of which the dump lists no option. `before`: tokens
    by key of the day before, to find a share that was renamed.
    """

    def __init__(
        self,
        dump: Sequence[Instrument],
        rules: UniverseRules,
        on: date,
        before: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        catalog = Catalog(one for one in dump if one.expiry is None)
        self._rules = rules
        found = {key: _find(catalog, key) for key in rules.underlyings}
        self.underlyings = tuple(one for one in found.values() if one is not None)
        self.missing = tuple(
            Missing(key, _absence(catalog, key, before.get(key)))
            for key, one in found.items()
            if one is None
        )
        if not self.underlyings:
            raise UniverseError(_nothing_left(self.missing))
        options = {
            exchange: Catalog(one for one in dump if one.is_option and one.exchange == listed_at)
            for exchange, listed_at in OPTIONS_OF.items()
        }
        chains = [
            (underlying, contracts)
            for underlying in self.underlyings
            for contracts in _nearest(options[underlying.exchange], underlying, rules.expiries, on)
        ]
        optioned = {underlying for underlying, _ in chains}
        self.without_options = tuple(one.key for one in self.underlyings if one not in optioned)
        self.options = tuple(one for _, contracts in chains for one in contracts)
        self._chains = tuple(_chain(*chain) for chain in chains)
        _refuse_too_large(len(self.underlyings), len(self._chains), rules)

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Underlyings, then options."""
        return (*self.underlyings, *self.options)

    @property
    def underlying_tokens(self) -> frozenset[int]:
        """Tokens of the underlyings."""
        return frozenset(one.instrument_token for one in self.underlyings)

    def near(self, spots: Mapping[int, float]) -> set[int]:
        """Tokens of the options near the money; of an underlying without a spot (0) none."""
        return {
            token
            for chain in self._chains
            if (spot := spots.get(chain.underlying_token, 0.0)) > 0
            for token in chain.near(spot, self._rules.near_strikes)
        }

    def wanted(self, spots: Mapping[int, float], held: Collection[int]) -> frozenset[int]:
        """Tokens to subscribe to: the underlyings, the options near the money, what is held."""
        return self.underlying_tokens | self.near(spots) | frozenset(held)


def _find(catalog: Catalog, key: str) -> Instrument | None:
    exchange, _, tradingsymbol = key.partition(":")
    return catalog.find(exchange, tradingsymbol)


def _absence(catalog: Catalog, key: str, token_before: int | None) -> str:
    renamed = None if token_before is None else catalog.by_token(token_before)
    where = f"; it is listed as {renamed.key!r} now" if renamed else _meant(catalog, key)
    return f"{key} is not in the instrument dump of the day{where}"


def _nothing_left(missing: Sequence[Missing]) -> str:
    return f"ingest.universe: nothing can be followed: {'; '.join(one.reason for one in missing)}"


def _meant(catalog: Catalog, key: str) -> str:
    """Return the key that was probably meant: of the same underlying, or of the nearest name."""
    own = [one.key for one in catalog]
    same = (one for one in own if underlying_name(one) == underlying_name(key))
    meant = next(same, None) or nearest(key, own)
    return f"; did you mean {meant!r}?" if meant else ""


def _nearest(
    catalog: Catalog, underlying: Instrument, expiries: int, on: date
) -> list[Sequence[Instrument]]:
    name = underlying_name(underlying.tradingsymbol)
    coming = [expiry for expiry in catalog.expiries(name) if expiry >= on]
    return [catalog.options(name, expiry) for expiry in coming[:expiries]]


def _chain(underlying: Instrument, contracts: Iterable[Instrument]) -> _Chain:
    by_strike: dict[float, list[int]] = {}
    for contract in contracts:
        by_strike.setdefault(contract.strike, []).append(contract.instrument_token)
    strikes = tuple(sorted(by_strike))
    tokens = tuple(tuple(by_strike[strike]) for strike in strikes)
    return _Chain(underlying.instrument_token, strikes, tokens)


def _refuse_too_large(underlyings: int, chains: int, rules: UniverseRules) -> None:
    most = underlyings + chains * 2 * (2 * rules.near_strikes + 1)
    if most > rules.most:
        raise UniverseError(
            f"ingest.universe: {most} instruments are more than a connection's {rules.most}: "
            "name fewer underlyings, expiries or strikes"
        )
