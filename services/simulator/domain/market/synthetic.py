"""A whole synthetic trading day: instruments, earlier days' candles, frames and quotes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

import numpy as np

from libs.events.ticks import TickColumns
from libs.market.arrays import FloatArray, IntArray
from libs.market.calendar import Calendar
from libs.market.instruments import Instrument
from libs.market.rulebook import Rulebook
from services.simulator.domain.market.chain import SyntheticChain
from services.simulator.domain.market.defects import DEMO_DEFECTS, DefectRates
from services.simulator.domain.market.frames import Frame, FrameColumns
from services.simulator.domain.market.history import MinuteCandles, minute_candles
from services.simulator.domain.market.levels import PriceLevels
from services.simulator.domain.market.paths import MarketDay, PricePath, market_day, price_path
from services.simulator.domain.market.underlying_ticks import ArrivingTicks, underlying_ticks
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE, UnderlyingSpec

_SEGMENT = "NSE"
_SECOND_MS = 1000
_IMPLIED_OVER_REALISED = 1.1


class SyntheticMarket:
    """One seeded trading day of some underlyings and their options.

    Raises ValueError for a closed day. `tail_seconds` are frames after the close, so that the last
    candles can close; `near_strikes` says how many strikes each side of the money frames quote.
    """

    def __init__(
        self,
        seed: int,
        trading_day: date,
        calendar: Calendar,
        rulebook: Rulebook,
        specs: Sequence[UnderlyingSpec] = DEFAULT_UNIVERSE,
        defects: DefectRates = DEMO_DEFECTS,
        near_strikes: int = 5,
        tail_seconds: int = 5,
        history_days: int = 10,
    ) -> None:
        self._seed, self._day, self._calendar = seed, trading_day, calendar
        self._specs = tuple(sorted(specs, key=lambda spec: spec.tradingsymbol))
        self._levels = [PriceLevels(seed, spec, trading_day) for spec in self._specs]
        self._defects, self._near_strikes = defects, near_strikes
        self._tail_seconds, self._history_days = tail_seconds, history_days
        self._market, self._paths = self._draw(trading_day)
        self._spots = np.array([path.last_price for path in self._paths])
        self.underlyings = tuple(spec.instrument() for spec in self._specs)
        self.chain = self._make_chain(rulebook)

    @property
    def trading_day(self) -> date:
        """Day in India that is played."""
        return self._day

    @property
    def contracts(self) -> tuple[Instrument, ...]:
        """All listed options."""
        return self.chain.contracts

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The underlyings, then the options: the day's instrument dump."""
        return (*self.underlyings, *self.contracts)

    def path(self, tradingsymbol: str) -> PricePath:
        """Path of an underlying; raises KeyError for one that is not in the market."""
        return dict(zip(self.chain.symbols, self._paths, strict=True))[tradingsymbol]

    def spots(self, at_ms: int) -> dict[str, float]:
        """Last price of each underlying at a time, by tradingsymbol."""
        prices = self._spots_in(self._second_of(at_ms)).tolist()
        return dict(zip(self.chain.symbols, prices, strict=True))

    def quotes(self, instrument_tokens: Iterable[int], at_ms: int) -> TickColumns:
        """Quotes of some contracts at a time; raises KeyError for a token not listed."""
        rows = self.chain.rows(instrument_tokens)
        return self.chain.quotes(self._spots_in(self._second_of(at_ms)), at_ms, rows)

    def option_quotes(self, spots: Mapping[str, float], at_ms: int) -> TickColumns:
        """Quotes of all contracts at a time, from any prices of the underlyings by symbol."""
        return self.chain.quotes(spots, at_ms)

    def previous_closes(self) -> dict[str, float]:
        """Closes of the trading day before, by the underlyings' tradingsymbol."""
        pairs = zip(self.chain.symbols, self._paths, strict=True)
        return {symbol: path.previous_close for symbol, path in pairs}

    def history(self, days: int | None = None) -> Iterator[tuple[date, Instrument, MinuteCandles]]:
        """Minute candles of the trading days before this one, oldest first, by underlying.

        As many days as asked for, or as the market has.
        """
        for day in self._days_before(self._history_days if days is None else days):
            _, paths = self._draw(day)
            for instrument, path in zip(self.underlyings, paths, strict=True):
                yield day, instrument, minute_candles(path)

    def frames(self, chain_seconds: int = 5, start_ms: int | None = None) -> Iterator[Frame]:
        """Frames of each second from the open, or from a time, to some seconds after the close.

        Every `chain_seconds` a frame also quotes the contracts near the money. Frames in which
        nothing ticks are empty. Where options trade longer, the frames go on until their close.
        """
        options_close_ms = self._calendar.sessions("NFO", self._day)[-1].close_ms
        for second, frame in self._numbered_frames(start_ms):
            if second % chain_seconds == 0 and frame.at_ms < options_close_ms:
                quotes = self._near_quotes(second, frame.at_ms)
                yield Frame(frame.at_ms, TickColumns.concat([frame.columns, quotes]))
            else:
                yield frame

    def underlying_frames(self, start_ms: int | None = None) -> Iterator[Frame]:
        """The same frames with the ticks of the underlyings alone."""
        return (frame for _, frame in self._numbered_frames(start_ms))

    def _numbered_frames(self, start_ms: int | None) -> Iterator[tuple[int, Frame]]:
        at_ms = self._frame_times()
        ticks = FrameColumns(self._arriving(), at_ms.size)
        first = 0 if start_ms is None else int(np.searchsorted(at_ms, start_ms))
        for second, now_ms in enumerate(at_ms[first:].tolist(), first):
            yield second, Frame(now_ms, ticks.of(second))

    def _near_quotes(self, second: int, at_ms: int) -> TickColumns:
        spots = self._spots_in(second)
        rows = self.chain.near_the_money(spots, self._near_strikes)
        return self.chain.quotes(spots, at_ms, rows)

    def _spots_in(self, second: int) -> FloatArray:
        return self._spots[:, min(second, self._spots.shape[1] - 1)]

    def _second_of(self, at_ms: int) -> int:
        passed = int(np.searchsorted(self._market.shape.at_ms, at_ms, side="right"))
        return max(passed - 1, 0)

    def _frame_times(self) -> IntArray:
        sessions = [self._calendar.sessions(name, self._day)[-1] for name in (_SEGMENT, "NFO")]
        opened = self._market.shape.at_ms
        last = max(session.close_ms for session in sessions) + self._tail_seconds * _SECOND_MS
        return np.append(opened, np.arange(opened[-1] + _SECOND_MS, last, _SECOND_MS))

    def _arriving(self) -> list[ArrivingTicks]:
        return [
            underlying_ticks(self._market, spec, path, self._defects, self._tail_seconds)
            for spec, path in zip(self._specs, self._paths, strict=True)
        ]

    def _draw(self, day: date) -> tuple[MarketDay, list[PricePath]]:
        market = market_day(self._seed, day, self._calendar.sessions(_SEGMENT, day))
        before = self._calendar.previous_trading_day(_SEGMENT, day)
        both = zip(self._specs, self._levels, strict=True)
        return market, [price_path(market, spec, levels.of(day, before)) for spec, levels in both]

    def _days_before(self, count: int) -> list[date]:
        days = [self._day]
        for _ in range(count):
            days.append(self._calendar.previous_trading_day(_SEGMENT, days[-1]))
        return days[:0:-1]

    def _make_chain(self, rulebook: Rulebook) -> SyntheticChain:
        return SyntheticChain(
            seed=self._seed,
            trading_day=self._day,
            underlyings=self.underlyings,
            reference_prices={
                spec.tradingsymbol: float(path.last_price[0])
                for spec, path in zip(self._specs, self._paths, strict=True)
            },
            rulebook=rulebook,
            calendar=self._calendar,
            base_volatilities={
                spec.tradingsymbol: spec.annual_volatility * _IMPLIED_OVER_REALISED
                for spec in self._specs
            },
        )
