"""A day verified: our live candles against the broker's, and what follows from the difference."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import cast

from libs.broker.port.market import MarketData
from libs.errors import AlphaStocksError
from libs.events.candles import Candle, CandleBatch, CandleColumns, Interval
from libs.market.calendar import Calendar
from libs.store.store import Store
from services.candle.domain.rows import historical_data
from services.local.settings import LocalSettings
from services.local.verification.comparing import Compared, compared, corrections
from services.local.verification.reading import brokers_day, live_candles
from services.local.verification.signals import (
    ChangedSignal,
    StrategyFailed,
    changed_signals,
    signals_on,
)
from services.strategy.domain.registry import make_strategy
from services.strategy.domain.strategy_run import MakeStrategy
from services.strategy.finding import known_strategies
from services.strategy.history import CandleHistory


class VerifyError(AlphaStocksError):
    """A day that cannot be verified; the text says why."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What verifying a day has found, and how many candles have been corrected."""

    day: date
    compared: Compared
    unlisted: tuple[str, ...]
    signals: tuple[ChangedSignal, ...]
    corrected: int = 0


@dataclass(frozen=True, slots=True)
class Verification:
    """Verifies days: `store` has our candles, `market` the broker's.

    `on_asked` is called with the number of requests, and returns what is called after each.
    """

    settings: LocalSettings
    store: Store
    market: MarketData
    calendar: Calendar
    on_asked: Callable[[int], Callable[[], None]]

    async def verify(self, day: date, *, corrects: bool) -> Verified:
        """Compare a day; with `corrects` store what differs. VerifyError without live candles."""
        makers = makers_of(self.settings)
        ours = await live_candles(self.store, day, self._intervals(makers))
        if not ours:
            raise VerifyError(f"{day}: no live candles are stored in this database (--var)")
        on_done = self.on_asked(len({(one.key, one.interval) for one in ours}))
        brokers = await brokers_day(self.market, ours, day, self.calendar, on_done)
        listed = [one for one in ours if one.key not in brokers.unlisted]
        found = compared(listed, brokers.candles)
        changed = await self._changed(makers, day, listed, brokers.candles)
        count = await self._corrected(day, found) if corrects else 0
        return Verified(day, found, brokers.unlisted, tuple(changed), count)

    def _intervals(self, makers: Sequence[MakeStrategy]) -> list[Interval]:
        """Return the intervals of strategies and of the history."""
        named = set(self.settings.ingest.history.intervals)
        for make in makers:
            named |= {make().interval, *make().other_intervals}
        return sorted(named)

    async def _changed(
        self,
        makers: Sequence[MakeStrategy],
        day: date,
        ours: Iterable[Candle],
        brokers: Iterable[Candle],
    ) -> list[ChangedSignal]:
        history = await self._history(makers, day)
        try:
            mine, theirs = (signals_on(makers, history, one) for one in (ours, brokers))
        except StrategyFailed as failed:
            raise VerifyError(f"the strategy {failed}") from None
        return changed_signals(mine, theirs)

    async def _history(self, makers: Sequence[MakeStrategy], day: date) -> list[Candle]:
        """Return the stored candles of the broker before the day, as strategies warm up on them."""
        back = self.settings.ingest.history.days
        days = [day - timedelta(days=number) for number in range(back, 0, -1)]
        history = CandleHistory(self.store, self.settings.strategy.periods, 0.0)
        return [
            candle
            for interval in self._intervals(makers)
            for candle in await history.candles(days, interval)
        ]

    async def _corrected(self, day: date, found: Compared) -> int:
        """Store the broker's candles in the place of ours, as the candle service's writer does."""
        by_interval: dict[Interval, list[Candle]] = {}
        for candle in corrections(found.differences):
            by_interval.setdefault(candle.interval, []).append(candle)
        for interval, candles in by_interval.items():
            batch = CandleBatch.backfill(0, interval, day, CandleColumns.of(candles))
            await self.store.insert("historical_data", historical_data(batch))
        return sum(map(len, by_interval.values()))


def makers_of(settings: LocalSettings) -> list[MakeStrategy]:
    """Return what makes the strategies of the settings; raise UnknownStrategy for a wrong name."""
    named = {one.name for one in settings.strategy.strategies}
    known = known_strategies(settings.strategy.folder, named)
    return [
        cast(MakeStrategy, partial(make_strategy, one.name, one.parameters, known))
        for one in settings.strategy.strategies
    ]
