"""The candle service on a bus: ticks in, candles out, across restarts."""

import asyncio
from collections.abc import Sequence
from datetime import date

import httpx
import numpy as np

from libs.events.candles import Candle, CandleBatch
from libs.events.event import Event
from libs.events.instruments import InstrumentListed
from libs.events.ticks import TickBatch, TickColumns
from libs.market.calendar import load_calendar
from libs.runtime.http import make_app
from libs.runtime.service import Parts, Service
from libs.runtime.testing import ServiceHarness
from services.candle.service import make_service
from services.candle.settings import CandleSettings
from services.ingest.domain.connection import Connection
from services.ingest.domain.listing import listed
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE

DAY = date(2026, 6, 10)
OPEN_MS = load_calendar().sessions("NSE", DAY)[0].open_ms
MINUTE_MS = 60_000
SBIN = next(spec.instrument() for spec in DEFAULT_UNIVERSE if spec.tradingsymbol == "SBIN")
Row = tuple[int, float, int]
"""Seconds after the open, price, cumulative volume."""


def sbin() -> InstrumentListed:
    return listed(SBIN, DAY, OPEN_MS)


def batches(rows: Sequence[Row], started: int = 0) -> list[TickBatch]:
    """One frame per row; `started` tells connections apart."""
    connection = Connection("test", DAY, OPEN_MS + started, partitions=1)
    made: list[TickBatch] = []
    for seconds, price, volume in rows:
        at_ms = OPEN_MS + seconds * 1000
        columns = TickColumns(
            instrument_token=np.array([SBIN.instrument_token], "<u4"),
            exchange_timestamp=np.array([at_ms], "<i8"),
            last_price=np.array([price], "<f8"),
            volume_traded=np.array([volume], "<i8"),
        )
        made += connection.cut(columns, at_ms)
    return made


def make(parts: Parts) -> Service:
    return make_service(CandleSettings(), parts)


def candles(events: Sequence[Event], interval: str = "1m") -> list[Candle]:
    return [
        candle
        for event in events
        if isinstance(event, CandleBatch)
        for candle in event.candles()
        if candle.interval == interval
    ]


FIRST: list[Row] = [(1, 100.0, 10), (30, 103.0, 15), (59, 101.0, 20), (61, 101.5, 22)]
SECOND: list[Row] = [(90, 102.0, 30), (119, 100.5, 35), (125, 100.0, 36)]


def test_ticks_become_candles_once_the_clock_has_passed_their_end_and_the_grace() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as harness:
            await harness.publish(sbin(), *batches(FIRST))
            assert await harness.published("candles") == []
            await harness.publish(*batches([(62, 101.5, 22)], started=1))
            (one,) = candles(await harness.published("candles"))
            assert (one.open, one.high, one.low, one.close) == (100.0, 103.0, 100.0, 101.0)
            assert (one.volume, one.ticks, one.opened_ms) == (10, 3, OPEN_MS)

    asyncio.run(story())


def test_a_restart_on_the_same_bus_goes_on_and_repeats_no_candle() -> None:
    async def story(is_restarted: bool) -> list[Candle]:
        async with ServiceHarness(make) as first:
            await first.publish(sbin(), *batches(FIRST), *batches([(63, 101.6, 24)], 1))
            if not is_restarted:
                await first.publish(*batches(SECOND, 2))
                return candles(await first.published("candles"))
        async with ServiceHarness(make, bus=first.bus) as second:
            replayed = [row for row in FIRST if row[0] >= 60]
            await second.publish(*batches([*replayed, (63, 101.6, 24), *SECOND], 2))
            return candles(await second.published("candles"))

    plain, restarted = (asyncio.run(story(is_restarted)) for is_restarted in (False, True))
    assert len(plain) == 2
    assert restarted == plain


def test_a_longer_candle_begun_before_a_restart_is_whole_after_it() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as first:
            await first.publish(sbin(), *batches(FIRST), *batches([(63, 101.6, 24)], 1))
        async with ServiceHarness(make, bus=first.bus) as second:
            await second.publish(*batches([*SECOND, (175, 99.0, 40), (185, 99.5, 41)], 2))
            (three,) = candles(await second.published("candles"), "3m")
            assert (three.open, three.high, three.low, three.close) == (100.0, 103.0, 99.0, 99.0)
            assert three.volume == 30

    asyncio.run(story())


def test_refused_ticks_are_counted_by_reason_in_the_metrics_and_at_info() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as harness:
            await harness.publish(*batches(FIRST))
            rejected = harness.runner.service.describe()["ticks_rejected"]
            assert rejected == {"unknown_instrument": 4}
            sample = 'alphastocks_ticks_rejected_total{reason="unknown_instrument"} 4.0'
            assert sample in harness.metrics.render().decode()

    asyncio.run(story())


def test_the_forming_candle_is_served_and_others_are_not_found() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as harness:
            app = make_app(harness.runner.service, harness.runner.health, harness.metrics)
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://candle") as client:
                path = "/candles/NSE/SBIN/5m/forming"
                assert (await client.get(path)).status_code == 404
                await harness.publish(sbin(), *batches(FIRST))
                answer = await client.get(path)
                assert answer.status_code == 200
                shown = answer.json()
                assert (shown["open"], shown["high"], shown["close"]) == (100.0, 103.0, 101.5)
                assert shown["volume"] == 12
                assert (shown["exchange"], shown["interval"]) == ("NSE", "5m")
                assert (shown["opened_at"], shown["closes_at"]) == (
                    "2026-06-10T03:45:00Z",
                    "2026-06-10T03:50:00Z",
                )
                other = await client.get("/candles/BSE/SBIN/5m/forming")
                assert other.status_code == 404
                assert (await client.get("/candles/NSE/TCS/5m/forming")).status_code == 404
                assert (await client.get("/candles/NSE/SBIN/7m/forming")).status_code == 422

    asyncio.run(story())
