"""What the board plays: a trading day, synthetic or recorded."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Protocol

from libs.events.ticks import TickColumns
from libs.market.instruments import Instrument
from services.simulator.domain.market.frames import Frame
from services.simulator.domain.market.history import MinuteCandles


class Market(Protocol):
    """One trading day of some underlyings and the options listed on them."""

    @property
    def trading_day(self) -> date:
        """Day in India that is played."""

    @property
    def instruments(self) -> Sequence[Instrument]:
        """The underlyings, then the options."""

    def underlying_frames(self, start_ms: int | None = None) -> Iterator[Frame]:
        """Ticks of the underlyings, defects included, a frame for each second.

        From the open, or from a time in epoch ms, to some seconds after the last close.
        """

    def option_quotes(self, spots: Mapping[str, float], at_ms: int) -> TickColumns:
        """Quotes of all options in their order, from the underlyings' prices by tradingsymbol."""

    def previous_closes(self) -> Mapping[str, float]:
        """Closes of the day before by the underlyings' tradingsymbol; missing ones are unknown."""

    def history(self) -> Iterator[tuple[date, Instrument, MinuteCandles]]:
        """Minute candles of earlier days, oldest first."""
