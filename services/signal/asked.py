"""Which signals somebody asks for."""

from dataclasses import dataclass
from datetime import date

from libs.events.event import ms_from_utc
from libs.market.instruments import underlying_name
from services.signal.domain.life import Life, State

PLACE = r"^\d{1,13}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
"""A place in the order of pages: the time of a signal (epoch ms) and its id."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a day; None: all. `symbol` is a tradingsymbol or an underlying."""

    day: date
    limit: int
    symbol: str | None = None
    strategy: str | None = None
    state: State | None = None
    before: str | None = None

    @property
    def place(self) -> tuple[int, str] | None:
        """The time (epoch ms) and the id before which the page begins."""
        if self.before is None:
            return None
        at_ms, _, signal_id = self.before.partition("-")
        return int(at_ms), signal_id

    def wants(self, life: Life) -> bool:
        """Return whether a signal is asked for, on any page."""
        return (
            life.trading_day == self.day
            and self.strategy in (None, life.strategy)
            and self.state in (None, life.state)
            and (self.symbol is None or _is_on(life, self.symbol))
        )

    def page(self, lives: tuple[Life, ...]) -> list[Life]:
        """Return the signals of the page, the newest first, and one of the next page."""
        wanted = sorted(filter(self.wants, lives), key=_place, reverse=True)
        before = self.place
        return [one for one in wanted if before is None or _place(one) < before][: self.limit + 1]


def _is_on(life: Life, symbol: str) -> bool:
    is_same = underlying_name(life.underlying) == underlying_name(symbol)
    return is_same or life.tradingsymbol == symbol


def _place(life: Life) -> tuple[int, str]:
    return ms_from_utc(life.began_at), str(life.signal_id)
