"""Market data by request: a refusal for too many requests is waited for, not passed on."""

import asyncio
from collections.abc import Collection
from datetime import datetime
from typing import Any, cast

import pytest

from libs.broker.errors import RateLimited, ReplyUnreadable
from libs.broker.kite.market import TRIES, KiteMarketData
from libs.broker.kite.rest import KiteRest
from libs.market.calendar import IST


class BusyRest:
    """Refuses so many requests before it answers."""

    def __init__(self, refusals: int) -> None:
        self.refusals, self.asked = refusals, 0

    async def quote(self, _: Collection[str]) -> dict[str, Any]:
        self.asked += 1
        if self.asked <= self.refusals:
            raise RateLimited("Kite says: too many requests", 1)
        return {"NSE:INFY": {"instrument_token": 1, "last_price": 2.5}}

    def market(self) -> KiteMarketData:
        return KiteMarketData(cast(KiteRest, self))


def test_a_request_that_is_refused_for_too_many_is_asked_again() -> None:
    rest = BusyRest(TRIES - 1)
    quotes = asyncio.run(rest.market().quotes(["NSE:INFY"]))
    assert quotes["NSE:INFY"].last_price == 2.5
    assert rest.asked == TRIES


def test_a_broker_that_refuses_for_ever_is_asked_a_few_times() -> None:
    rest = BusyRest(1_000)
    with pytest.raises(RateLimited):
        asyncio.run(rest.market().quotes(["NSE:INFY"]))
    assert rest.asked == TRIES


class HistoryRest:
    """Has one candle, with such a close."""

    def __init__(self, close: float) -> None:
        self.row = {
            **{"date": datetime(2026, 6, 17, tzinfo=IST), "open": 1.0, "high": 2.0, "low": 1.0},
            **{"close": close, "volume": 5},
        }

    async def historical(self, *_: object) -> list[dict[str, Any]]:
        return [self.row]


def test_a_candle_without_a_price_cannot_be_read() -> None:
    async def closes(close: float) -> list[float]:
        market, at = KiteMarketData(cast(KiteRest, HistoryRest(close))), datetime.now(IST)
        return [one.close for one in await market.candles(1, "15m", at, at)]

    assert asyncio.run(closes(2.0)) == [2.0]
    for close in (float("nan"), float("inf")):
        with pytest.raises(ReplyUnreadable):
            asyncio.run(closes(close))
