"""The ingest service on a bus, playing a feed of a few frames."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from libs.broker.errors import SessionExpired
from libs.events.bus import TopicPartition
from libs.events.control import HistoryLoaded
from libs.events.embedded.bus import LocalBus
from libs.events.embedded.group import Group
from libs.events.ticks import TickBatch, TickColumns
from libs.market.calendar import load_calendar
from libs.market.instruments import Instrument, partition_of
from libs.runtime.clock import FeedClock, monotonic_ms
from libs.runtime.health import Waiting
from libs.runtime.logs import configure_logs
from libs.runtime.testing import ServiceHarness
from libs.store.store import Columns
from services.ingest.feed import Backfill, Frame
from services.ingest.service import make_service
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE
from tests.unit.fakes import ForgetfulStore
from tests.unit.services.ingest.contracts import CRUDE_JULY, make_contract
from tests.unit.services.position.builders import EXPIRY, TOKEN, closed, fill, hear, make_positions

DAY = date(2026, 6, 10)
OPEN_MS = load_calendar().sessions("NSE", DAY)[0].open_ms
SBIN = next(spec.instrument() for spec in DEFAULT_UNIVERSE if spec.tradingsymbol == "SBIN")


class FewFrames:
    """A feed of one frame a second, the last of which is a heartbeat."""

    source = "test"
    trading_day: date = DAY

    def __init__(self, seconds: Sequence[int] = (1, 2, 3)) -> None:
        self._seconds = seconds
        self.followed: list[int] = []
        self.told: list[str] = []
        self.listing = [SBIN]

    async def open(self) -> None:
        self.told.append("open")

    def describe(self) -> dict[str, Any]:
        return {"shown": True}

    async def close(self) -> None:
        self.told.append("close")

    async def instruments(self) -> list[Instrument]:
        return self.listing

    async def backfill(self, partitions: int) -> Backfill:
        return Backfill((date(2026, 6, 9),), (), ("2026-06-08: no ticks",))

    async def frames(self, partitions: int = 1) -> AsyncIterator[Frame]:
        for second in self._seconds:
            yield Frame(OPEN_MS + second * 1000, _tick(second))
        yield Frame(OPEN_MS + (self._seconds[-1] + 5) * 1000, TickColumns.empty())

    def follow(self, instrument_tokens: Collection[int]) -> None:
        self.followed = list(instrument_tokens)


def _tick(second: int) -> TickColumns:
    return TickColumns(
        instrument_token=np.array([SBIN.instrument_token], "<u4"),
        exchange_timestamp=np.array([OPEN_MS + second * 1000], "<i8"),
        last_price=np.array([100.0 + second], "<f8"),
    )


def harness_of(
    feed: FewFrames,
    paced: list[int] | None = None,
    bus: LocalBus | None = None,
    pace_of_clock: float = 0.0,
) -> ServiceHarness:
    async def pace(frame_ms: int) -> None:
        if paced is not None:
            paced.append(frame_ms)

    clock = FeedClock(pace_of_clock)
    return ServiceHarness(lambda parts: make_service(feed, parts, pace), clock=clock, bus=bus)


async def played(harness: ServiceHarness) -> list[TickBatch]:
    """Let the feed play to its end and return what it published."""
    harness.runner.start_tasks()
    await harness.runner.tasks_done()
    await harness.bus.idle()
    return [e for e in await harness.published("ticks") if isinstance(e, TickBatch)]


def test_instruments_and_history_are_announced_before_the_first_frame() -> None:
    async def story() -> None:
        async with harness_of(FewFrames()) as harness:
            (listing,) = await harness.published("instruments")
            assert listing.model_dump()["tradingsymbol"] == "SBIN"
            (announced,) = await harness.published("control")
            assert isinstance(announced, HistoryLoaded)
            assert (announced.candles, announced.gaps) == (0, ("2026-06-08: no ticks",))
            assert await harness.published("ticks") == []

    asyncio.run(story())


def test_on_a_holiday_with_an_evening_the_day_is_announced_for_the_open_of_mcx() -> None:
    async def story() -> None:
        feed = FewFrames()
        feed.trading_day = date(2026, 6, 26)
        feed.listing = [SBIN, make_contract("MCX", "CRUDEOIL", CRUDE_JULY)]
        async with harness_of(feed) as harness:
            opens = load_calendar().sessions("MCX", feed.trading_day)[0].opens_at
            told = [*await harness.published("instruments"), *await harness.published("control")]
            assert {event.occurred_at for event in told} == {opens}
            assert len(told) == 3

    asyncio.run(story())


def test_what_is_listed_otherwise_than_the_day_before_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def story() -> None:
        later, before = FewFrames(), FewFrames()
        before.trading_day = DAY - timedelta(days=1)
        before.listing = [replace(SBIN, lot_size=2)]
        async with harness_of(before) as first:
            capsys.readouterr()
            for _ in range(2):
                async with harness_of(later, bus=first.bus):
                    told = [line for line in capsys.readouterr().err.splitlines() if "→" in line]
                    assert len(told) == 1
                    assert f"NSE:SBIN: lot_size 2 → {SBIN.lot_size}" in told[0]

    configure_logs("info", "text")
    asyncio.run(story())


def test_each_frame_is_published_with_the_clock_and_then_paced() -> None:
    async def story() -> None:
        paced: list[int] = []
        async with harness_of(FewFrames(), paced) as harness:
            batches = await played(harness)
            assert [batch.clock_ms - OPEN_MS for batch in batches] == [1000, 2000, 3000, 8000]
            assert [len(batch.columns) for batch in batches] == [1, 1, 1, 0]
            assert paced == [batch.received_ms for batch in batches]
            assert harness.clock.now_ms() == OPEN_MS + 8000
            described = harness.runner.service.describe()
            assert (described["frames"], described["ticks"]) == (4, 3)
            assert described["shown"]

    asyncio.run(story())


def test_a_feed_is_opened_first_and_closed_with_the_service() -> None:
    async def story() -> None:
        feed = FewFrames()
        async with harness_of(feed) as harness:
            assert feed.told == ["open"]
            await played(harness)
        assert feed.told == ["open", "close"]

    asyncio.run(story())


def test_a_restart_repeats_its_announcements_and_a_later_part_has_its_own_batches() -> None:
    async def story() -> None:
        async with harness_of(FewFrames()) as first:
            before = await played(first)
        async with harness_of(FewFrames((2, 3)), bus=first.bus) as second:
            every = await played(second)
            for topic in ("instruments", "control"):
                one, other = await second.published(topic)
                assert one == other
            ids = [batch.event_id for batch in every]
            assert len(ids) == len(set(ids)) == len(before) + 3

    asyncio.run(story())


def test_the_same_part_of_the_day_has_the_same_batches_each_time() -> None:
    async def story() -> list[UUID]:
        async with harness_of(FewFrames((2, 3))) as harness:
            return [event.event_id for event in await played(harness)]

    assert asyncio.run(story()) == asyncio.run(story())


def test_the_contracts_of_open_positions_are_followed_also_after_a_restart() -> None:
    (*_, opened) = hear(make_positions(), fill())

    async def story() -> None:
        feed, later = FewFrames(), FewFrames()
        async with harness_of(feed) as first:
            await first.publish(opened)
            assert feed.followed == [TOKEN]
        async with harness_of(later, bus=first.bus) as second:
            assert later.followed == [TOKEN]
            await second.publish(closed("100"))
            assert later.followed == []

    asyncio.run(story())


def test_the_token_of_an_expired_contract_is_not_followed_since_it_may_be_anothers() -> None:
    (*_, opened) = hear(make_positions(), fill())

    async def story() -> None:
        feed = FewFrames()
        feed.trading_day = EXPIRY + timedelta(days=1)
        async with harness_of(feed) as harness:
            await harness.publish(opened)
            assert feed.followed == []
        later = FewFrames()
        later.trading_day = EXPIRY
        async with harness_of(later, bus=harness.bus):
            assert later.followed == [TOKEN]

    asyncio.run(story())


def test_without_a_store_only_positions_are_subscribed_to() -> None:
    async def story() -> None:
        async with harness_of(FewFrames()) as harness:
            assert [one.group for one in harness.runner.service.subscriptions] == ["ingest"]
            assert harness.runner.health.report() == {
                "feed": "ok",
                "ingest": "ok",
                "ingest.tasks": "ok",
            }

    asyncio.run(story())


def test_the_age_of_the_feed_and_whether_the_market_is_open_are_measured() -> None:
    async def story() -> None:
        async with harness_of(FewFrames()) as harness:
            assert harness.measured("market_open") == 0
            await played(harness)
            assert harness.measured("feed_frames_total") == 4, "a heartbeat is one too"
            assert harness.measured("feed_ticks_total") == 3
            assert harness.measured("market_open") == 1
            first = harness.measured("feed_age_seconds") or 0
            await asyncio.sleep(0.02)
            assert (harness.measured("feed_age_seconds") or 0) > first
            harness.clock.observe(OPEN_MS + 6 * 3600 * 1000 + 15 * 60 * 1000)
            assert harness.measured("market_open") == 0, "half past three"

    asyncio.run(story())


def test_a_feed_without_ticks_while_the_market_is_open_makes_it_unready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        async with harness_of(FewFrames(), pace_of_clock=1.0) as harness:
            await played(harness)
            health = harness.runner.health
            assert health.is_ready
            now_ms = monotonic_ms() + 12_000
            monkeypatch.setattr("services.ingest.service.monotonic_ms", lambda: now_ms)
            assert health.report()["feed"] == "no tick for 12 s while the market is open"
            harness.runner.service.waiting.reason = "a login at the broker"
            assert health.is_ready, "without a session none can come"
            harness.runner.service.waiting.reason = ""
            harness.clock.observe(OPEN_MS + 6 * 3600 * 1000 + 15 * 60 * 1000)
            assert health.is_ready, "half past three"

    asyncio.run(story())


class Days(FewFrames):
    """A feed of two days; the second one cannot be announced at first."""

    def __init__(self, days: Sequence[date]) -> None:
        super().__init__()
        self._days, self._troubles = list(days), 2

    async def open(self) -> None:
        if len(self._days) == 1 and self._troubles:
            self._troubles -= 1
            raise SessionExpired("run `alphastocks login`")
        self.trading_day = self._days.pop(0)
        await super().open()


def test_a_feed_of_several_days_announces_and_plays_each_and_waits_for_a_session() -> None:
    async def story() -> None:
        feed, asked = Days([DAY, DAY + timedelta(days=1)]), list[date | None]()
        is_over = asyncio.Event()

        async def next_day(played: date | None, waiting: Waiting) -> None:
            asked.append(played)
            if played == DAY + timedelta(days=1):
                is_over.set()
                await asyncio.Event().wait()

        async def pace(_: int) -> None:
            return

        async with ServiceHarness(
            lambda parts: make_service(feed, parts, pace, next_day)
        ) as harness:
            assert harness.runner.service.describe()["trading_day"] is None
            harness.runner.start_tasks()
            async with asyncio.timeout(10):
                await is_over.wait()
            loaded = [e for e in await harness.published("control") if e.type == "HistoryLoaded"]
            assert [one.trading_day for one in loaded] == [DAY, DAY + timedelta(days=1)]
            ticks = [e for e in await harness.published("ticks") if isinstance(e, TickBatch)]
            assert len(ticks) == 8
            assert asked == [None, DAY, DAY, DAY, DAY + timedelta(days=1)]

    asyncio.run(story())


class TwoConnections(FewFrames):
    """A feed over two connections, the second of which is twenty seconds late."""

    async def frames(self, partitions: int = 1) -> AsyncIterator[Frame]:
        assert partitions == 2
        for second in (21, 22):
            on_time, late = _tick(second), _tick(second - 20)
            late.instrument_token[:] += 256
            own = partition_of(SBIN.instrument_token, 2)
            yield Frame(OPEN_MS + second * 1000, on_time, connection=0, partitions=(own,))
            yield Frame(OPEN_MS + second * 1000, late, connection=1, partitions=(1 - own,))


def test_each_connection_stamps_its_own_partitions_with_its_own_clock() -> None:
    async def story() -> None:
        bus = LocalBus(lockstep=True, partitions={"ticks": 2})
        await bus.start()
        async with harness_of(TwoConnections(), bus=bus) as harness:
            batches = await played(harness)
            own = partition_of(SBIN.instrument_token, 2)
            clocks = [(one.partition, one.clock_ms - OPEN_MS, one.connection) for one in batches]
            assert sorted(clocks) == sorted(
                [(own, 21_000, 0), (1 - own, 1000, 1), (own, 22_000, 0), (1 - own, 2000, 1)]
            )
            assert len({one.event_id for one in batches}) == 4
            assert harness.clock.now_ms() == OPEN_MS + 22_000

    asyncio.run(story())


class Halting(FewFrames):
    """A feed that falls silent after its first tick, and comes back where that is wanted."""

    def __init__(self, *, comes_back: bool) -> None:
        super().__init__()
        self._comes_back = comes_back

    async def frames(self, partitions: int = 1) -> AsyncIterator[Frame]:
        yield Frame(OPEN_MS + 1000, _tick(1))
        yield Frame(0, TickColumns.empty(), is_news=False, is_silent=True)
        yield Frame(OPEN_MS + 5000, TickColumns.empty(), is_news=False, is_silent=True)
        if self._comes_back:
            yield Frame(OPEN_MS + 6000, TickColumns.empty(), is_news=False)
            yield Frame(OPEN_MS + 7000, _tick(7))


async def told_of(harness: ServiceHarness) -> list[str]:
    return [e.type for e in await harness.published("control") if e.type.startswith("Feed")]


def test_a_feed_that_falls_silent_says_so_until_ticks_come_again() -> None:
    async def story() -> None:
        async with harness_of(Halting(comes_back=True)) as harness:
            batches = await played(harness)
            assert [one.clock_ms - OPEN_MS for one in batches] == [1000, 5000, 6000, 7000]
            assert await told_of(harness) == ["FeedFellSilent", "FeedCameBack"]

    asyncio.run(story())


def test_after_a_restart_ticks_end_the_silence_that_was_told_before() -> None:
    async def story() -> None:
        async with harness_of(Halting(comes_back=False)) as first:
            await played(first)
            assert await told_of(first) == ["FeedFellSilent"]
        async with harness_of(FewFrames((8, 9)), bus=first.bus) as second:
            await played(second)
            assert await told_of(second) == ["FeedFellSilent", "FeedCameBack"]

    asyncio.run(story())


class Noting(ForgetfulStore):
    """A store that keeps the names of the ticks that were inserted."""

    def __init__(self) -> None:
        self.names: list[str] = []

    async def insert(self, table: str, columns: Columns) -> int:
        self.names += list(columns["tradingsymbol"])
        return await super().insert(table, columns)


def test_ticks_that_are_left_from_before_a_restart_are_stored_under_their_names() -> None:
    async def story() -> None:
        async def pace(_: int) -> None:
            return

        async def no_day(_: date | None, __: Waiting) -> None:
            await asyncio.Event().wait()

        store = Noting()
        async with harness_of(FewFrames()) as first:
            await played(first)
            restarted = ServiceHarness(
                lambda parts: make_service(FewFrames(), parts, pace, no_day),
                store=store,
                bus=first.bus,
            )
            first.bus.commit_offsets(
                Group("ingest.writer.market_data", 9, in_turn=True),
                {TopicPartition("instruments", 0): len(await first.messages("instruments"))},
            )
            async with restarted:
                await first.bus.idle()
        assert store.names == ["SBIN"] * 3

    asyncio.run(story())
