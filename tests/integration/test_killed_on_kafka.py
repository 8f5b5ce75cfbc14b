"""All processes are killed at once, at the moments of an order's life, beside a simulated Kite.

Whenever they are back, the book is the exchange's: each trade is booked once, and what our
positions hold is what the account holds.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from libs.events.kafka.address import KafkaAddress
from libs.events.positions import PositionClosed, PositionOpened
from libs.store.clickhouse import ClickHouseStore, create_database
from libs.store.migrate import apply
from libs.store.store import StoreAddress
from services.local.play.database import migrations
from services.local.settings import LocalSettings
from tests.integration.exchange_days import ExchangeDay, Row, exchange_day
from tests.servers import running_kafka, why_none

SPEED = 120.0
"""A session of 6 hours 15 minutes in a little over three minutes."""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaAddress]:
    if reason := why_none():
        pytest.skip(reason)
    with running_kafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka.address


def trading_settings() -> LocalSettings:
    """An index and two stocks, traded on the slightest sign at the simulated Kite."""
    choice = {"name": "ma_crossover", "parameters": {"interval": "1m", "fast": 3, "slow": 8}}
    universe = {
        "underlyings": ["NSE:NIFTY 50", "NSE:RELIANCE", "NSE:SBIN"],
        "expiries": 1,
        "near_strikes": 3,
    }
    plain = LocalSettings.model_validate(
        {
            "executor": {"mode": "paper", "venue": "simulator"},
            "ingest": {"history": {"days": 3, "intervals": ["1m"]}, "universe": universe},
            "strategy": {"strategies": [choice]},
        }
    )
    executor = plain.executor
    entry = replace(executor.entry, min_expected_move=0.0, before_settlement_days=0)
    return plain.model_copy(update={"executor": executor.model_copy(update={"entry": entry})})


@pytest.mark.proof("over four minutes; in small: make chaos-orders, a crash at every await")
def test_all_processes_are_killed_at_five_moments_and_the_book_is_the_exchanges_each_time(
    kafka: KafkaAddress, database: StoreAddress, tmp_path: Path
) -> None:
    async def run() -> None:
        await create_database(database)
        store = ClickHouseStore(database)
        await apply(store, migrations())
        await store.close()
        async with exchange_day(kafka, database, trading_settings(), tmp_path, SPEED) as day:
            await day.start_all()
            day.play()
            await story(day)

    asyncio.run(run())


async def story(day: ExchangeDay) -> None:
    """Kill everything at each moment, and look at the book after each."""
    await day.until(lambda: bool(day.working("BUY", ("LIMIT",))), "an entry works")
    await killed_and_back(day)

    trades = len(day.account.trades())
    await day.until(lambda: is_bought(day.account.trades()[trades:]), "an entry has filled")
    await killed_and_back(day)

    await day.until(lambda: bool(stops(day)), "a stop rests")
    await killed_and_back(day)

    await day.until(lambda: bool(stops(day)), "a stop rests, to be met while nothing runs")
    await day.kill_all()
    (stop, *_) = stops(day)
    day.jump(stop["tradingsymbol"], -3.0)
    await day.until(lambda: is_complete(day, stop), "the exchange fills the stop by itself")
    await back(day)

    await day.until(lambda: bool(stops(day)), "a position that will be left by an order of ours")
    day.jump(stops(day)[0]["tradingsymbol"], 4.0)
    await day.until(lambda: bool(day.working("SELL", ("LIMIT", "MARKET"))), "an exit works")
    await killed_and_back(day)

    await day.closed()
    await day.book_agrees()
    held = {row["tradingsymbol"]: row["quantity"] for row in day.account.positions()["net"]}
    assert held
    assert set(held.values()) == {0}, "everything was left before the close"
    tags = Counter(row["tag"] for row in day.account.orders())
    assert max(tags.values()) == 1, "no plan has two orders"
    positions = await day.events("positions")
    opened = {one.position_id for one in positions if isinstance(one, PositionOpened)}
    assert opened == {one.position_id for one in positions if isinstance(one, PositionClosed)}


async def killed_and_back(day: ExchangeDay) -> None:
    await day.kill_all()
    await back(day)


async def back(day: ExchangeDay) -> None:
    """Start everything, let the market go on, and wait for the book."""
    await day.start_all()
    day.market.go_on()
    await day.book_agrees()


def stops(day: ExchangeDay) -> list[Row]:
    """Stops that rest at the exchange."""
    return day.working("SELL", ("SL",))


def is_bought(trades: list[Row]) -> bool:
    return any(row["transaction_type"] == "BUY" for row in trades)


def is_complete(day: ExchangeDay, order: Row) -> bool:
    done = [row for row in day.account.orders() if row["status"] == "COMPLETE"]
    return any(row["order_id"] == order["order_id"] for row in done)
