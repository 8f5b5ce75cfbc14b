"""Which closed positions somebody asks for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from libs.events.event import ms_from_utc
from libs.market.instruments import underlying_name
from services.position.domain.trades import Trade

PLACE = r"^\d{1,13}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-\d{1,9}$"
"""A place in the order of pages: when a position was closed (epoch ms), its id, its opening."""
Place = tuple[int, str, int]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, by the day of closing; None: all. `symbol`: contract or underlying."""

    first: date
    last: date
    limit: int
    symbol: str | None = None
    strategy: str | None = None
    before: str | None = None

    @property
    def place(self) -> Place | None:
        """The place before which the page begins."""
        if self.before is None:
            return None
        head, _, opening = self.before.rpartition("-")
        at_ms, _, position_id = head.partition("-")
        return int(at_ms), position_id, int(opening)

    def wants(self, trade: Trade) -> bool:
        """Whether a trade is asked for, on any page."""
        return (
            not trade.is_open
            and self.first <= trade.trading_day <= self.last
            and is_wanted(trade, self.symbol, self.strategy)
        )

    def page(self, trades: Iterable[Trade]) -> list[Trade]:
        """Return the trades of the page, the latest first, and one of the next page.

        One that is given twice counts once.
        """
        by_place = {place_of(one): one for one in trades if self.wants(one)}
        before = self.place
        places = sorted((one for one in by_place if before is None or one < before), reverse=True)
        return [by_place[one] for one in places[: self.limit + 1]]


def is_wanted(trade: Trade, symbol: str | None, strategy: str | None) -> bool:
    """Whether a trade is of a strategy and of a contract or an underlying; None: of any."""
    if strategy not in (None, trade.strategy):
        return False
    names = (trade.tradingsymbol, trade.underlying)
    return symbol is None or symbol in names or underlying_name(symbol) == trade.underlying


def place_of(trade: Trade) -> Place:
    """Return the place of a trade in the order of pages."""
    at = trade.closed_at or trade.opened_at
    return ms_from_utc(at), str(trade.position_id), trade.opening


def text_of(place: Place) -> str:
    """Return a place as text."""
    return "-".join(map(str, place))
