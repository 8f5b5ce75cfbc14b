"""The listed options of an underlying and expiry, and those of them that are near the money."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Self

from libs.broker.port.market import Mode
from libs.market.instruments import Catalog, Instrument


@dataclass(frozen=True, slots=True)
class FollowedChain:
    """The options of one expiry: tokens by strike, ascending.

    `underlying` is what the options are near or far from: an index, a share, or a future of MCX.
    """

    underlying: Instrument
    contracts: tuple[Instrument, ...]
    near_strikes: int
    mode: Mode
    strikes: tuple[float, ...]
    tokens: tuple[tuple[int, ...], ...]

    @classmethod
    def of(
        cls,
        underlying: Instrument,
        contracts: Iterable[Instrument],
        near_strikes: int,
        mode: Mode,
    ) -> Self:
        """Return the chain of these contracts."""
        listed = tuple(contracts)
        by_strike: dict[float, list[int]] = {}
        for contract in listed:
            by_strike.setdefault(contract.strike, []).append(contract.instrument_token)
        strikes = tuple(sorted(by_strike))
        tokens = tuple(tuple(by_strike[strike]) for strike in strikes)
        return cls(underlying, listed, near_strikes, mode, strikes, tokens)

    @property
    def most(self) -> int:
        """The most contracts that are near the money at once."""
        return 2 * (2 * self.near_strikes + 1)

    def near(self, spot: float) -> Iterable[int]:
        """Return the tokens of the strikes around the one nearest to the spot."""
        at = min(range(len(self.strikes)), key=lambda i: abs(self.strikes[i] - spot))
        first, last = max(0, at - self.near_strikes), at + self.near_strikes + 1
        return (token for tokens in self.tokens[first:last] for token in tokens)


def coming(options: Catalog, name: str, expiries: int, on: date) -> list[tuple[Instrument, ...]]:
    """Return the contracts of an underlying's nearest expiries from a day on, by expiry."""
    dates = [expiry for expiry in options.expiries(name) if expiry >= on]
    return [options.options(name, expiry) for expiry in dates[:expiries]]
