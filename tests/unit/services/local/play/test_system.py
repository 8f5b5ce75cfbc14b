"""The whole chain in one process, on a small generated session and a store in memory."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import pytest

from libs.events.bus import started_bus
from libs.events.codec import event_of
from libs.events.control import ServiceFailed
from libs.events.embedded.bus import LocalBus
from libs.events.event import Event, utc_from_ms
from libs.events.positions import PositionUpdated
from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from libs.runtime.clock import FeedClock
from libs.store.errors import StoreRejected
from libs.store.store import Columns, Params
from services.ingest.feed import Backfill
from services.local.play.replaying import Played, play
from services.local.play.system import System, Wiring, paper_venue, settled
from services.local.settings import LocalSettings
from services.simulator.domain.market.synthetic import SyntheticMarket
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE
from services.strategy.settings import StrategyChoice, StrategySettings
from tests.generated import GeneratedFeed
from tests.unit.fakes import EmptyFeed, ForgetfulStore

MUHURAT = date(2025, 10, 21)
"""A session of one hour."""
QUICK = {"interval": "1m", "fast": 3, "slow": 8, "history_needed": 20}
SETTINGS = LocalSettings(
    strategy=StrategySettings(strategies=(StrategyChoice(name="ma_crossover", parameters=QUICK),))
).for_demo()


class MemoryStore(ForgetfulStore):
    """A store that keeps backfilled candles for the strategies, and counts all rows."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self.refuses = ""
        self._backfill: list[dict[str, Any]] = []

    async def insert(self, table: str, columns: Columns) -> int:
        if table == self.refuses:
            raise StoreRejected(f"{table}: no such table")
        count = await super().insert(table, columns)
        self.rows[table] = self.rows.get(table, 0) + count
        if table == "historical_data":
            self._keep(columns)
        return count

    def _keep(self, columns: Columns) -> None:
        for values in zip(*columns.values(), strict=True):
            row = dict(zip(columns, values, strict=True))
            if row["source"] == "backfill":
                self._backfill.append(row)

    async def query(self, sql: str, params: Params | None = None) -> dict[str, list[Any]]:
        if "count()" in sql:
            return {"stored": [len(self._backfill)]}
        wanted: Mapping[str, object] = params or {}
        rows = [row for row in self._backfill if row["interval"] == wanted["interval"]]
        names = [name for name in rows[0] if name != "event_id"]
        return {name: [_as_stored(name, row[name]) for row in rows] for name in names}


def _as_stored(name: str, value: Any) -> Any:
    return utc_from_ms(value) if name in {"opened_at", "closes_at"} else value


def small_feed(history_days: int = 1) -> GeneratedFeed:
    chosen = [one for one in DEFAULT_UNIVERSE if one.tradingsymbol in {"NIFTY 50", "RELIANCE"}]
    market = SyntheticMarket(7, MUHURAT, load_calendar(), load_rulebook(), chosen)
    return GeneratedFeed(market, MUHURAT, history_days)


@pytest.fixture(scope="module")
def played() -> tuple[Played, MemoryStore]:
    store = MemoryStore()
    return asyncio.run(play(SETTINGS, small_feed(), store, lambda _: None)), store


def test_a_session_goes_all_the_way_from_ticks_to_positions(
    played: tuple[Played, MemoryStore],
) -> None:
    summary = played[0].summary
    for figure in ("ticks", "candles", "strategy_signals", "signals", "orders", "fills"):
        assert summary[figure] > 0, figure
    assert summary["positions_opened"] > 0
    assert summary["dead_letters"] == 0
    assert summary["trading_day"] == MUHURAT


def test_one_correlation_id_leads_from_the_strategy_to_the_position(
    played: tuple[Played, MemoryStore],
) -> None:
    events = played[0].outcome.events
    position = events["positions"][0]
    for topic in ("orders", "decisions", "signal_updates", "signal_generated", "strategy_signals"):
        assert position.correlation_id in {event.correlation_id for event in events[topic]}, topic


def test_every_event_of_the_outcome_has_its_row(played: tuple[Played, MemoryStore]) -> None:
    outcome, rows = played[0].outcome.events, played[1].rows
    for table in ("strategy_signals", "decisions", "orders", "positions"):
        assert rows[table] == len(outcome[table]), table
    updates = len(outcome["signal_generated"]) + len(outcome["signal_updates"])
    assert rows["trading_signals"] == updates


def test_positions_are_marked_by_the_quotes_of_the_contracts_that_are_followed(
    played: tuple[Played, MemoryStore],
) -> None:
    positions = [e for e in played[0].outcome.events["positions"] if isinstance(e, PositionUpdated)]
    assert any(event.last_price != event.entry_price for event in positions)


def system_on(bus: LocalBus, store: ForgetfulStore, feed: Any = None) -> System:
    runtime = SETTINGS.runtime.model_copy(update={"checkpoint_records": 1})
    settings = SETTINGS.model_copy(update={"runtime": runtime})
    pace = settled(bus, lambda _: None)
    wiring = Wiring(feed or EmptyFeed(), FeedClock(), paper_venue(SETTINGS), pace)
    return System(settings, bus, store, wiring)


def run_with(store: ForgetfulStore, feed: Any, on_started: Callable[[System], None]) -> None:
    async def story() -> None:
        bus = LocalBus()
        system = system_on(bus, store, feed)
        async with started_bus(bus), system:
            on_started(system)
            await system.run(asyncio.Event())

    asyncio.run(asyncio.wait_for(story(), 30))


def test_a_feed_without_frames_ends_at_once_with_every_service_stopped() -> None:
    seen: list[System] = []
    run_with(MemoryStore(), EmptyFeed(), seen.append)
    (system,) = seen
    names = {runner.service.name for runner in system.runners}
    assert names == {"ingest", "candle", "strategy", "signal", "executor", "position"}
    assert all(task.done() for runner in system.runners for task in runner.running)
    assert all(runner.health.is_stopping for runner in system.runners)


class FailingFeed(EmptyFeed):
    """A feed that breaks off at its first frame."""

    def frames(self, partitions: int = 1) -> Any:
        raise ConnectionError("the feed broke off")


def test_a_feed_that_fails_ends_the_run_with_its_error_and_every_service_is_stopped() -> None:
    seen: list[System] = []
    with pytest.raises(ConnectionError, match="the feed broke off"):
        run_with(MemoryStore(), FailingFeed(), seen.append)
    assert all(task.done() for runner in seen[0].runners for task in runner.running)


class Listing(EmptyFeed):
    """A feed that has a history and nothing else."""

    async def backfill(self, partitions: int) -> Backfill:
        return await small_feed().backfill(partitions)


def test_a_table_that_refuses_its_rows_ends_the_run_with_the_reason() -> None:
    store = MemoryStore()
    store.refuses = "historical_data"
    settings = SETTINGS.strategy.model_copy(update={"history_wait_seconds": 0})

    async def story() -> None:
        bus = LocalBus()
        system = system_on(bus, store, Listing())
        system.settings = SETTINGS.model_copy(update={"strategy": settings})
        async with started_bus(bus), system:
            await system.run(asyncio.Event())

    with pytest.raises(StoreRejected, match="historical_data: no such table"):
        asyncio.run(asyncio.wait_for(story(), 30))


def test_a_service_that_a_defect_keeps_from_starting_is_told_on_the_bus() -> None:
    async def story() -> list[Event]:
        bus = LocalBus()
        system = system_on(bus, MemoryStore(), Unreadable())
        async with started_bus(bus):
            with pytest.raises(ZeroDivisionError):
                await system.start()
            told = [event_of(message) async for message in bus.read(["control"])]
            await system.stop()
        return told

    told = asyncio.run(asyncio.wait_for(story(), 30))
    assert [(one.service, one.reason) for one in told if isinstance(one, ServiceFailed)] == [
        ("ingest", "ZeroDivisionError: a defect")
    ]


class Unreadable(EmptyFeed):
    """A feed whose instruments a defect keeps from being read."""

    async def instruments(self) -> Any:
        raise ZeroDivisionError("a defect")
