"""The lives of signals in a real ClickHouse: the same as in the memory of the service."""

from asyncio import run
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, get_args

import pytest

import services
from libs.events import signals
from libs.events.codec import event_of
from libs.events.event import identity, utc_from_ms
from libs.runtime.testing import ServiceHarness
from libs.store.clickhouse import ClickHouseStore
from libs.store.migrate import apply, discover
from services.signal.asked import Asked
from services.signal.domain.life import Life, State
from services.signal.domain.lives import Lives
from services.signal.replies import life_of, page_of
from services.signal.stored import StoredSignals
from tests.unit.services.position.builders import DAY
from tests.unit.services.signal.test_nights import DAY_MS, UPDATES, update
from tests.unit.services.signal.test_service import NOW, make, strategy_signal

SERVICES = Path(services.__file__).parent
NEXT_DAY = DAY + timedelta(days=1)
KINDS = {
    DAY: (*UPDATES, *(signals.SignalActivated,) * 6),
    NEXT_DAY: (signals.SignalCompleted, signals.SignalStopped, signals.SignalExpired),
}
SYMBOLS = ("SBIN", "INFY", "NIFTY 50", "TEST_X")


@pytest.fixture
def migrated(store: ClickHouseStore) -> ClickHouseStore:
    run(apply(store, discover(SERVICES)))
    run(store.execute("SYSTEM STOP MERGES trading_signals"))
    return store


def said(number: int, chance: Random, day: date) -> signals.StrategySignal:
    """A signal; three at a time are of the same time."""
    symbol = chance.choice(SYMBOLS)
    at_ms = NOW + (day - DAY).days * DAY_MS + number // 3 * 1000
    return strategy_signal(
        number + 100 * day.day,
        tradingsymbol=symbol,
        underlying="NIFTY" if symbol == "NIFTY 50" else symbol,
        strategy=chance.choice(["rsi", "ma_crossover"]),
        action=chance.choice(["BUY", "SELL"]),
        occurred_at=utc_from_ms(at_ms),
        trading_day=day,
    )


async def play(harness: ServiceHarness, chance: Random) -> None:
    """Play two days with all kinds of lives; the second one goes on with those of the first."""
    for day in (DAY, NEXT_DAY):
        await harness.publish(*(said(number, chance, day) for number in range(30)))
        for one in await harness.published("signal_generated"):
            assert isinstance(one, signals.SignalGenerated)
            at_ms = one.occurred_ms + 60_000 + (day - one.trading_day).days * DAY_MS
            await harness.publish(update(chance.choice(KINDS[day]), one, at_ms, day))
    await harness.runner.commit()


async def known(harness: ServiceHarness) -> tuple[Life, ...]:
    """Return the lives of everything that was published."""
    lives = Lives()
    for topic in ("signal_generated", "signal_updates"):
        for event in map(event_of, await harness.messages(topic)):
            if isinstance(event, signals.SignalGenerated):
                lives.begin(event)
            elif isinstance(event, signals.SignalUpdate):
                lives.take(event)
    return lives.all()


def questions() -> Iterator[dict[str, Any]]:
    yield {}
    yield from ({"state": state} for state in get_args(State))
    yield from ({"symbol": symbol} for symbol in ("SBIN", "NIFTY", "NIFTY 50", "nifty", "NONE"))
    yield {"strategy": "rsi", "symbol": "INFY", "state": "REJECTED"}


def test_the_table_gives_the_pages_and_lives_that_memory_gives(migrated: ClickHouseStore) -> None:
    async def story() -> None:
        async with ServiceHarness(make, store=migrated) as harness:
            await play(harness, Random(5))
        # It has ended, so that no signal expires while its life is compared.
        lives, stored = await known(harness), StoredSignals(migrated)
        assert {life.state for life in lives} >= {"STOPPED", "COMPLETED", "REJECTED", "EXPIRED"}
        for day in (DAY, NEXT_DAY, DAY - timedelta(days=1)):
            for what in questions():
                await same_pages(stored, lives, Asked(day, 7, **what))
        for life in lives:
            found = await stored.life(life.signal_id)
            assert found is not None
            assert life_of(found) == life_of(life)
        assert await stored.life(identity("nobody")) is None
        assert await stored.last_day() == NEXT_DAY

    run(story())


async def same_pages(stored: StoredSignals, lives: tuple[Life, ...], asked: Asked) -> None:
    """Compare page by page, up to the end."""
    while True:
        expected = page_of(asked.day, asked.page(lives), asked.limit)
        assert page_of(asked.day, await stored.page(asked), asked.limit) == expected, asked
        if expected.next is None:
            return
        asked = replace(asked, before=expected.next)


def test_an_empty_table_has_no_day_and_no_signal(migrated: ClickHouseStore) -> None:
    stored = StoredSignals(migrated)
    assert run(stored.last_day()) is None
    assert run(stored.page(Asked(DAY, 10))) == []


def test_a_signal_over_night_has_its_whole_life_in_the_table(migrated: ClickHouseStore) -> None:
    async def story() -> None:
        async with ServiceHarness(make, store=migrated) as harness:
            await harness.publish(strategy_signal())
            (one,) = await harness.published("signal_generated")
            assert isinstance(one, signals.SignalGenerated)
            await harness.publish(
                update(signals.SignalActivated, one, NOW + 1000, DAY),
                update(signals.SignalCompleted, one, NOW + DAY_MS, NEXT_DAY),
            )
            await harness.runner.commit()
        rows = await migrated.query(
            "SELECT state, trading_day FROM trading_signals FINAL ORDER BY occurred_at, state"
        )
        assert rows["state"] == ["NEW", "VALIDATED", "ACTIVATED", "COMPLETED"]
        assert rows["trading_day"][-1] == NEXT_DAY

    run(story())
