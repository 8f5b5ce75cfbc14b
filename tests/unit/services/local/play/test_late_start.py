"""A start in mid-session: the signals are those of a run from the open, and none of the past."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from libs.broker.port.market import HistoricalCandle
from libs.events.candles import Candle, Interval
from libs.events.event import ms_from_utc, utc_from_ms
from libs.events.signals import StrategySignal
from libs.market.calendar import IST
from libs.market.instruments import Instrument
from libs.store.store import Params
from services.ingest.domain.history import HistoryRules
from services.ingest.feed import Backfill, BrokerHistory
from services.local.play.replaying import Played, play
from services.simulator.domain.market.synthetic import SyntheticMarket
from tests.generated import GeneratedFeed
from tests.unit.services.local.play.test_system import (
    MUHURAT,
    SETTINGS,
    MemoryStore,
    small_feed,
)

START = datetime.combine(MUHURAT, time(14, 5, 20), IST)
FIRST_WHOLE = datetime.combine(MUHURAT, time(14, 6), IST)


class Tables(MemoryStore):
    """A store that has no history when ingest asks for it."""

    async def query(self, sql: str, params: Params | None = None) -> dict[str, list[Any]]:
        return {} if "GROUP BY" in sql else await super().query(sql, params)


@dataclass
class Broker:
    """Has the candles of a run from the open, and those of the day before."""

    known: Sequence[Candle]

    async def candles(
        self, instrument_token: int, interval: Interval, from_at: datetime, to_at: datetime
    ) -> list[HistoricalCandle]:
        return [
            HistoricalCandle(
                utc_from_ms(one.opened_ms), one.open, one.high, one.low, one.close, one.volume
            )
            for one in self.known
            if (one.instrument_token, one.interval) == (instrument_token, interval)
            and from_at <= utc_from_ms(one.opened_ms) <= to_at
        ]


class LateFeed(GeneratedFeed):
    """The generated day from START on; what was before it is asked for at a broker."""

    def __init__(self, market: SyntheticMarket, broker: Broker) -> None:
        super().__init__(market, MUHURAT, 1, ms_from_utc(START))
        self._broker = broker

    async def backfill(self, partitions: int) -> Backfill:
        underlyings: list[Instrument] = [
            one for one in await self.instruments() if not one.is_option
        ]
        rules = HistoryRules(days=1, intervals=("1m",))
        now_ms = ms_from_utc(START)
        history = BrokerHistory(
            self._broker, underlyings, rules, "test", lambda: now_ms, waits=True
        )
        return Backfill(broker=history)


def played(feed: GeneratedFeed) -> Played:
    return asyncio.run(play(SETTINGS, feed, Tables(), lambda _: None))


def crossings(run: Played) -> list[tuple[str, datetime, str]]:
    signals = run.outcome.events["strategy_signals"]
    return sorted(
        (one.tradingsymbol, one.candle_opened_at, one.action)
        for one in signals
        if isinstance(one, StrategySignal)
    )


def test_the_signals_after_a_late_start_are_those_of_a_run_from_the_open() -> None:
    feed = small_feed()
    whole = played(feed)
    before = [one for batch in asyncio.run(feed.backfill(1)).batches for one in batch.candles()]
    broker = Broker([*before, *whole.outcome.candles()])
    late = played(LateFeed(feed._market, broker))
    history = late.outcome.history
    assert history is not None
    assert (history.days[-1], history.patched) == (MUHURAT, ("1m",))
    expected = [one for one in crossings(whole) if one[1] >= FIRST_WHOLE]
    assert expected
    assert len(expected) < len(crossings(whole))
    assert crossings(late) == expected, "and none on a candle before"
