"""Market data by request: a refusal for too many requests is waited for, not passed on."""

import asyncio
from collections.abc import Collection
from typing import Any, cast

import pytest

from libs.broker.errors import RateLimited
from libs.broker.kite.market import TRIES, KiteMarketData
from libs.broker.kite.rest import KiteRest


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
