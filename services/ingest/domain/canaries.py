"""Which of a connection's instruments are always quoted: their silence is the connection's."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from libs.events.event import utc_from_ms
from libs.market.calendar import IST, Calendar
from libs.market.closing_auction import closing_auction
from libs.market.instruments import Instrument

LIVELY_MS, QUIET_MS = 2_500, 30_000
"""Patience with a connection whose canaries are enough to be quoted each second, and with others.
"""
INDEX, FUTURE, LIQUID_SHARE, OPTION, SHARE = 60, 20, 12, 3, 1
ENOUGH = 60
"""An index alone is quoted each second; so are three futures, five shares with derivatives, twenty
options near the money or sixty other shares, taken together."""
_CASH = ("NSE", "BSE")


class Kind(NamedTuple):
    """An exchange, and whether contracts of it are meant, not shares and indices."""

    exchange: str
    is_contract: bool


@dataclass(frozen=True, slots=True)
class Canaries:
    """The instruments of a day that are liquid, by the hours of their exchanges.

    In the closing auction neither shares nor indices move: contracts alone are canaries then. In
    MCX's evening its contracts are.
    """

    calendar: Calendar
    trading_day: date
    weights: Mapping[int, tuple[Kind, int]]
    """Token → its kind, and how much it counts towards ENOUGH."""

    @classmethod
    def of(
        cls, instruments: Collection[Instrument], calendar: Calendar, trading_day: date
    ) -> "Canaries":
        """Return how much each of these counts: a share more, if options of it are listed."""
        optioned = {one.name for one in instruments if one.is_option}
        weighed = ((one, _weight(one, optioned)) for one in instruments)
        weights = {
            one.instrument_token: (Kind(one.exchange, one.expiry is not None), weight)
            for one, weight in weighed
            if weight
        }
        return cls(calendar, trading_day, weights)

    def weight(self, instrument_token: int) -> int:
        """Return how much an instrument counts, 0 where it is none of them."""
        return self.weights[instrument_token][1] if instrument_token in self.weights else 0

    def weighed(self, followed: Iterable[int]) -> Mapping[Kind, int]:
        """Return how much what a connection follows counts, by kind."""
        weights: Counter[Kind] = Counter()
        for token in followed:
            if token in self.weights:
                kind, weight = self.weights[token]
                weights[kind] += weight
        return weights

    def patience_ms(self, weights: Mapping[Kind, int], at_ms: int) -> int:
        """Return how long such a connection may be silent at a time; 0: nothing is quoted."""
        total = sum(weight for kind, weight in weights.items() if self._is_quoted(kind, at_ms))
        if total >= ENOUGH:
            return LIVELY_MS
        return QUIET_MS if total else 0

    def _is_quoted(self, kind: Kind, at_ms: int) -> bool:
        exchange, is_contract = kind
        if not self.calendar.is_in_session(exchange, at_ms):
            return False
        auction = closing_auction(self.trading_day)
        if is_contract or auction is None or exchange not in _CASH:
            return True
        return utc_from_ms(at_ms).astimezone(IST).time() < auction.begins


def _weight(one: Instrument, optioned: Collection[str]) -> int:
    if one.is_index:
        return INDEX
    if one.instrument_type == "FUT":
        return FUTURE
    if one.is_option:
        return OPTION
    return LIQUID_SHARE if one.tradingsymbol in optioned else SHARE
