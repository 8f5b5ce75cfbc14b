"""The strategy service on a bus: warmed up from the store, each signal given once."""

import asyncio
import functools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from libs.events.candles import CandleBatch, CandleColumns, HistoryFetched
from libs.events.codec import record_of
from libs.events.control import HistoryLoaded, StrategyStarted
from libs.events.embedded.bus import LocalBus
from libs.events.event import Event, identity, ms_from_utc
from libs.events.signals import StrategySignal
from libs.market.calendar import load_calendar
from libs.runtime.emitter import record_topic
from libs.runtime.service import Parts, Service
from libs.runtime.settings import SettingsError
from libs.runtime.subscription import Emit
from libs.runtime.testing import ServiceHarness
from libs.store.store import Params
from services.strategy.domain.registry import UnknownStrategy
from services.strategy.handler import PatchHandler
from services.strategy.service import make_service
from services.strategy.settings import StrategyChoice, StrategySettings
from tests.skipping import run, skip
from tests.unit.fakes import ForgetfulStore

DAY, BEFORE = date(2026, 6, 10), date(2026, 6, 9)
OPENS_AT = load_calendar().sessions("NSE", DAY)[0].opens_at
FIVE = timedelta(minutes=5)
CROSSING = {"interval": "5m", "fast": 1, "slow": 2, "history_needed": 3}
SETTINGS = StrategySettings(
    strategies=(StrategyChoice(name="ma_crossover", parameters=CROSSING),),
    history_wait_seconds=0,
)


class HistoryStore(ForgetfulStore):
    """A store that holds one day of five-minute candles of SBIN."""

    def __init__(self, closes: Sequence[float]) -> None:
        self._closes = closes

    async def query(self, sql: str, params: Params | None = None) -> dict[str, list[Any]]:
        if "count()" in sql:
            return {"stored": [len(self._closes)]}
        start = datetime(2026, 6, 9, 4, 0, tzinfo=UTC)
        opened = [start + number * FIVE for number in range(len(self._closes))]
        same: dict[str, Any] = {
            "exchange": "NSE",
            "tradingsymbol": "SBIN",
            "expiry": date(1970, 1, 1),
            "interval": "5m",
            "trading_day": BEFORE,
            "volume": 1,
            "vwap": float("nan"),
            "ticks": 1,
            "oi": 0,
            "cumulative_volume": 1,
            "revision": 0,
            "source": "backfill",
        }
        prices = {name: list(self._closes) for name in ("open", "high", "low", "close")}
        times = {"opened_at": opened, "closes_at": [at + FIVE for at in opened]}
        return {
            **{name: [value] * len(opened) for name, value in same.items()},
            **prices,
            **times,
        }


def loaded(candles: int) -> HistoryLoaded:
    event_id = identity("HistoryLoaded", "test")
    return HistoryLoaded(
        event_id=event_id,
        occurred_at=OPENS_AT,
        trading_day=DAY,
        correlation_id=event_id,
        days=(BEFORE,),
        candles=candles,
    )


def candle(number: int, close: float, revision: int = 0) -> CandleBatch:
    """The five-minute candle of SBIN that is the day's `number`th."""
    opened_at = OPENS_AT + number * FIVE
    event_id = identity("test candle", number, revision)
    values: dict[str, Any] = {
        "exchange": "NSE",
        "tradingsymbol": "SBIN",
        "expiry": None,
        "instrument_token": 779_521,
        "opened_ms": ms_from_utc(opened_at),
        "closes_ms": ms_from_utc(opened_at + FIVE),
        **dict.fromkeys(("open", "high", "low", "close"), close),
        "volume": 1,
        "vwap": None,
        "ticks": 1,
        "oi": 0,
        "cumulative_volume": 1,
        "revision": revision,
    }
    return CandleBatch(
        event_id=event_id,
        occurred_at=opened_at + FIVE,
        trading_day=DAY,
        correlation_id=event_id,
        partition=0,
        interval="5m",
        source="live",
        columns=CandleColumns.model_validate({name: (one,) for name, one in values.items()}),
    )


def make(parts: Parts) -> Service:
    return make_service(SETTINGS, parts)


async def bus_with(*events: Event) -> LocalBus:
    bus = LocalBus(lockstep=True, partitions={"candles": 1})
    await bus.start()
    for event in events:
        partitions = await bus.partitions("candles")
        await bus.publish(record_of(event, record_topic(event), partitions))
    return bus


async def signals(harness: ServiceHarness) -> list[str]:
    events = await harness.published("strategy_signals")
    return [event.action for event in events if isinstance(event, StrategySignal)]


def test_stored_history_warms_a_strategy_so_that_the_first_candle_can_signal() -> None:
    async def story() -> None:
        bus = await bus_with(loaded(candles=4))
        store = HistoryStore([100.0, 100.0, 99.0, 98.0])
        async with ServiceHarness(make, bus=bus, store=store) as harness:
            (started,) = [
                event
                for event in await harness.published("control")
                if isinstance(event, StrategyStarted)
            ]
            assert (started.instruments, started.cold) == (1, ())
            assert started.occurred_at == OPENS_AT
            await harness.publish(candle(0, 105.0))
            assert await signals(harness) == ["BUY"]

    asyncio.run(story())


def brokers(*closes: float, first: int, until: int) -> list[Event]:
    """The broker's candles of today from the `first`th on, asked for up to the `until`th."""
    rows = [
        row._replace(source="backfill")
        for number, close in enumerate(closes, first)
        for row in candle(number, close).candles()
    ]
    since_ms, until_ms = (ms_from_utc(OPENS_AT + number * FIVE) for number in (first, until))
    event_id = identity("fetched", first, until)
    asked = HistoryFetched(
        event_id=event_id,
        occurred_at=OPENS_AT,
        trading_day=DAY,
        correlation_id=event_id,
        partition=0,
        origin="kite",
        exchange="NSE",
        tradingsymbol="SBIN",
        interval="5m",
        since_ms=since_ms,
        until_ms=until_ms,
        days=(DAY,),
        candles=(len(closes),),
        expected=(len(closes),),
    )
    return [CandleBatch.backfill(0, "5m", DAY, CandleColumns.of(rows)), asked]


def partial(number: int, close: float) -> CandleBatch:
    return candle(number, close).model_copy(update={"is_partial": True})


PATCHED = loaded(candles=4).model_copy(update={"patched": ("5m",)})
FALLING = [100.0, 100.0, 99.0, 98.0]


def test_a_start_within_the_session_acts_on_no_crossing_of_the_past() -> None:
    async def story() -> None:
        bus = await bus_with(PATCHED, *brokers(105.0, 106.0, 107.0, first=0, until=3))
        async with ServiceHarness(make, bus=bus, store=HistoryStore(FALLING)) as harness:
            await harness.publish(partial(3, 107.0))
            await harness.publish(candle(4, 108.0))
            assert await signals(harness) == [], "the crossing was at 09:15"
            await harness.publish(*brokers(107.0, first=3, until=4))
            await harness.publish(candle(5, 90.0))
            assert await signals(harness) == ["SELL"]

    asyncio.run(story())


def test_a_signal_that_waited_is_given_when_the_broker_has_answered_and_once() -> None:
    async def story() -> None:
        bus = await bus_with(PATCHED)
        async with ServiceHarness(make, bus=bus, store=HistoryStore(FALLING)) as first:
            await first.publish(partial(0, 97.0), candle(1, 110.0))
            assert await signals(first) == []
            await first.publish(*brokers(97.5, first=0, until=1))
            assert await signals(first) == ["BUY"]
        async with ServiceHarness(make, bus=bus, store=HistoryStore(FALLING)) as second:
            await second.publish(candle(2, 111.0))
            assert await signals(second) == ["BUY"]
            await second.publish(candle(3, 80.0))
            assert await signals(second) == ["BUY", "SELL"]

    asyncio.run(story())


def test_a_member_that_was_not_told_of_awaited_candles_looks_for_them() -> None:
    async def story() -> None:
        bus = await bus_with(PATCHED)
        async with ServiceHarness(make, bus=bus, store=HistoryStore(FALLING)) as harness:
            handler = harness.runner.service.subscriptions[0].handler

            async def told_to_another(event: Event, emit: Emit) -> None:
                """Do nothing: another member has this partition."""

            handler.handle = told_to_another  # type: ignore[method-assign]
            await harness.publish(partial(0, 97.0), *brokers(97.5, first=0, until=1))
            await harness.publish(candle(1, 97.0))
            await harness.publish(candle(2, 110.0))
            assert await signals(harness) == ["BUY"]

    asyncio.run(story())


def test_without_history_a_strategy_starts_cold_and_warms_up_on_live_candles() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as harness:
            await harness.publish(*(candle(number, 100.0 - number) for number in range(3)))
            await harness.publish(candle(3, 105.0))
            assert await signals(harness) == ["BUY"]

    asyncio.run(story())


def test_a_restart_repeats_no_signal() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as first:
            await first.publish(*(candle(number, 100.0 - number) for number in range(3)))
            await first.publish(candle(3, 105.0))
        async with ServiceHarness(make, bus=first.bus) as second:
            await second.publish(candle(3, 105.0), candle(3, 90.0, revision=1))
            assert await signals(second) == ["BUY"]
            await second.publish(candle(4, 80.0))
            assert await signals(second) == ["BUY", "SELL"]

    asyncio.run(story())


def test_a_candle_not_handled_before_the_restart_gives_its_signal_after_it() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as first:
            await first.publish(*(candle(number, 100.0 - number) for number in range(3)))
        await first.bus.publish(record_of(candle(3, 105.0), partitions=1))
        async with ServiceHarness(make, bus=first.bus) as second:
            await second.bus.idle()
            assert await signals(second) == ["BUY"]

    asyncio.run(story())


def test_an_unknown_strategy_is_named() -> None:
    settings = StrategySettings(strategies=(StrategyChoice(name="magic"),))
    with pytest.raises(UnknownStrategy, match="'magic'"):
        ServiceHarness(lambda parts: make_service(settings, parts))


def test_the_strategy_that_was_probably_meant_is_named() -> None:
    settings = StrategySettings(strategies=(StrategyChoice(name="ma_crosover"),))
    with pytest.raises(UnknownStrategy, match="did you mean 'ma_crossover'"):
        ServiceHarness(lambda parts: make_service(settings, parts))


def test_a_history_that_is_shorter_than_a_strategy_needs_is_refused() -> None:
    choice = StrategyChoice(name="ma_crossover", parameters={"history_needed": 200})
    settings = StrategySettings(strategies=(choice,), periods=199)
    with pytest.raises(
        SettingsError, match=r"strategy\.periods: 199 candles are fewer than the 200"
    ):
        ServiceHarness(lambda parts: make_service(settings, parts))


def test_the_time_of_each_strategy_is_measured() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as harness:
            await harness.publish(candle(0, 100.0), candle(1, 101.0))
            assert harness.measured("strategy_seconds_count", "ma_crossover") == 2

    asyncio.run(story())


class KeepingBus(LocalBus):
    """A bus that keeps topics over restarts, so that an announcement may be waited for."""

    def keeps(self, topic: str) -> bool:
        return True


def test_until_ingest_has_opened_a_day_it_is_ready_and_says_that_it_waits() -> None:
    async def story() -> None:
        bus = KeepingBus(lockstep=True, partitions={"candles": 1})
        await bus.start()
        harness = ServiceHarness(make, bus=bus, store=HistoryStore([100.0]))
        health = harness.runner.health
        assert not health.is_ready
        starting = asyncio.create_task(harness.runner.start())
        await skip(0.5, times=3)
        assert health.is_ready
        assert health.waiting.reason == "ingest to open a trading day and load history"
        await bus.publish(record_of(loaded(candles=1), partitions=1))
        await skip(0.5, times=3)
        await starting
        assert health.waiting.reason == ""
        assert health.is_ready
        assert health.report()["strategy"] == "ok"
        await harness.runner.stop()

    run(story())


@pytest.mark.parametrize("partition", [0, 1])
def test_each_member_has_the_brokers_candles_whichever_partitions_it_was_given(
    partition: int,
) -> None:
    async def story() -> None:
        topics = dict.fromkeys(("candles", "historical_candles"), 2)
        bus = LocalBus(lockstep=True, partitions=topics)
        await bus.start()
        await bus.publish(record_of(PATCHED, record_topic(PATCHED), 1))
        members = [
            ServiceHarness(functools.partial(make_member, name), bus=bus)
            for name in ("strategy-0", "strategy-1")
        ]
        async with members[0], members[1]:
            for event in brokers(104.0, first=0, until=1):
                await members[0].publish(event.model_copy(update={"partition": partition}))
            hosts = [one.runner.service.subscriptions[0].handler for one in members]
            assert [has_patch(one) for one in hosts] == [True, True]

    asyncio.run(story())


def make_member(name: str, parts: Parts) -> Service:
    return make(replace(parts, member=name))


def has_patch(handler: object) -> bool:
    """Whether a member would put the broker's candle in the place of the day's first one."""
    assert isinstance(handler, PatchHandler)
    (half,) = candle(0, 99.0).candles()
    return handler._strategies.host.patches.of(half) is not None
