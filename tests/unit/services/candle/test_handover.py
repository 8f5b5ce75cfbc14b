"""A member that is assigned a partition continues without lost or repeated candles.

The bus keeps ticks, as Kafka does; a crash leaves what was handled since the last commit to be
handled again.
"""

import asyncio
from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from libs.events.bus import TopicPartition
from libs.events.candles import Candle
from libs.events.embedded.bus import LocalBus
from libs.events.embedded.group import Group
from libs.events.event import identity
from libs.events.ticks import TickBatch
from libs.runtime.service import Parts, Service
from libs.runtime.subscription import CheckpointPolicy
from libs.runtime.testing import ServiceHarness
from services.candle.service import make_service
from services.candle.settings import CandleSettings
from tests.proofs import examples
from tests.unit.services.candle.frames import MINUTE, OPEN, Tick, candles_of, frame, listed

SECONDS = 7 * 60


class KeepingBus(LocalBus):
    """A bus in memory that keeps everything across restarts of its services."""

    def __init__(self, partitions: int) -> None:
        super().__init__(lockstep=True, partitions=dict.fromkeys(("ticks", "candles"), partitions))

    def keeps(self, topic: str) -> bool:
        return True

    def commit_offsets(self, group: Group, offsets: Mapping[TopicPartition, int]) -> None:
        self._committed |= {(group.name, index): offset for index, offset in offsets.items()}


def make(parts: Parts) -> Service:
    return make_service(CandleSettings(segments=("NSE",)), parts)


def harness(bus: KeepingBus, every: int) -> ServiceHarness:
    policy = CheckpointPolicy(records=every, milliseconds=3_600_000)
    return ServiceHarness(make, bus=bus, policy=policy)


async def kill(member: ServiceHarness) -> None:
    """End a service as kill -9 does: nothing more is committed."""
    for task in member.runner.running:
        task.cancel()
    await asyncio.gather(*member.runner.running, return_exceptions=True)


def batches(ticks: Sequence[Tick], every: int, partition: int = 0) -> list[TickBatch]:
    """Ticks in the order of arrival, in frames; the clock is the highest time so far."""
    made, clock_ms = [], OPEN
    parts = [ticks[at : at + every] for at in range(0, len(ticks), every)]
    for number, part in enumerate([*parts, []]):
        end = OPEN + SECONDS * 1000 + 3000
        clock_ms = max([clock_ms, *(at for _, at, _, _ in part)]) if part else end
        one = frame(part, clock_ms, partition, received_ms=clock_ms)
        made.append(one.model_copy(update={"event_id": identity("batch", number, partition)}))
    return made


async def played(frames: Sequence[TickBatch], crashes: Sequence[int], every: int) -> list[Candle]:
    """Candles on the topic after a run that was killed before each of these frames."""
    bus = KeepingBus(partitions=1)
    await bus.start()
    member = harness(bus, every)
    await member.runner.start()
    await member.publish(*(listed(number) for number in range(3)))
    for number, one in enumerate(frames):
        if number in crashes:
            await kill(member)
            member = harness(bus, every)
            await member.runner.start()
        await member.publish(one)
    await kill(member)
    published = candles_of(await member.published("candles"))
    await bus.stop()
    return published


def without_vwap(candle: Candle) -> dict[str, object]:
    """A restored minute has a vwap, not its turnover: a longer vwap may differ by rounding."""
    values = candle._asdict()
    values["vwap"] = None if candle.vwap is None else round(candle.vwap, 6)
    return values


arrivals = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, SECONDS - 1),
        st.integers(1, 40).map(lambda steps: 100 + steps * 0.05) | st.floats(1e4, 1e6),
        st.integers(0, 60) | st.integers(10**9, 10**11),
        st.sampled_from([0, 0, 0, 0, 3, 70]),
    ),
    min_size=5,
    max_size=60,
)


def in_order_of_arrival(drawn: list[tuple[int, int, float, int, int]]) -> list[Tick]:
    """Ticks by the second in which they arrive; some are late by a little or by a minute.

    Each instrument has traded before the first of them.
    """
    ordered = sorted(drawn, key=lambda one: one[1] + one[4])
    ticks = [(n, OPEN + second * 1000, p, volume * 5) for n, second, p, volume, _ in ordered]
    return [*((n, OPEN, 100.0, 5) for n in range(3)), *ticks]


@examples(25)
@given(
    arrivals,
    st.integers(1, 4),
    st.lists(st.integers(1, 40), max_size=4, unique=True),
    st.integers(1, 9),
)
def test_candles_after_crashes_are_those_of_a_run_without_crashes(
    drawn: list[tuple[int, int, float, int, int]], per_frame: int, crashes: list[int], every: int
) -> None:
    frames = batches(in_order_of_arrival(drawn), per_frame)
    whole = asyncio.run(played(frames, [], every))
    killed = asyncio.run(played(frames, crashes, every))
    assert [without_vwap(c) for c in killed] == [without_vwap(c) for c in whole]


def test_partitions_that_move_to_another_member_and_back_make_the_same_candles() -> None:
    async def story(is_shared: bool) -> list[dict[str, object]]:
        bus = KeepingBus(partitions=2)
        await bus.start()
        first = harness(bus, 3)
        await first.runner.start()
        await first.publish(*(listed(number) for number in range(3)))
        ticks = [(0, OPEN + s * 1000, 100.0 + s % 7, s) for s in range(0, SECONDS, 5)]
        by_partition = [batches(ticks, 1, partition) for partition in (0, 1)]
        frames = [one for pair in zip(*by_partition, strict=True) for one in pair]
        third = len(frames) // 3
        await first.publish(*frames[:third])
        if is_shared:
            second = harness(bus, 3)
            await second.runner.start()
            await first.publish(*frames[third : 2 * third])
            await second.runner.stop()
        else:
            await first.publish(*frames[third : 2 * third])
        await first.publish(*frames[2 * third :])
        await first.runner.stop()
        made = candles_of(await first.published("candles"))
        await bus.stop()
        return sorted(map(without_vwap, made), key=str)

    alone, shared = (asyncio.run(story(is_shared)) for is_shared in (False, True))
    assert len(alone) == 2 * 10
    assert shared == alone


def test_a_minute_stays_open_after_a_crash_within_it() -> None:
    ticks = [(0, OPEN + s * 1000, 100.0 + s, 10 + s) for s in range(0, 2 * 60, 10)]
    frames = batches(ticks, 1)
    (first, *_), (again, *_) = (asyncio.run(played(frames, c, 1)) for c in ([], [4]))
    assert (first.open, first.close, first.ticks) == (100.0, 150.0, 6)
    assert again == first
    assert first.closes_ms == OPEN + MINUTE


def as_arrived(ticks: Sequence[Tick], crashes: Sequence[int]) -> list[Candle]:
    """One-minute candles of these ticks, each in a frame of its own."""
    made = asyncio.run(played(batches(ticks, 1), crashes, 1))
    return [candle for candle in made if candle.interval == "1m"]


def test_what_was_traded_before_the_open_is_known_after_a_crash() -> None:
    ticks = [(0, OPEN - 7 * MINUTE, 100.0, 5000), (0, OPEN + 1000, 100.0, 5000)]
    ticks += [(0, OPEN + s * 1000, 101.0, 5000 + s) for s in (4, 62, 70, 125)]
    whole = as_arrived(ticks, [])
    assert [(c.open, c.volume) for c in whole] == [(101.0, 4), (101.0, 66), (101.0, 55)]
    for crash in range(1, 6):
        assert as_arrived(ticks, [crash]) == whole


def test_a_price_refused_before_a_crash_is_confirmed_after_it() -> None:
    ticks = [(0, OPEN + 1000, 100.0, 10), (0, OPEN + 50_000, 300.0, 20)]
    ticks += [(1, OPEN + 62_000, 50.0, 9), *((0, OPEN + s * 1000, 301.0, 30 + s) for s in (63, 70))]
    ticks += [(1, OPEN + 63_000, 50.0, 19)]
    whole = as_arrived(ticks, [])
    shares = [c for c in whole if c.tradingsymbol == "S0"]
    assert [(c.revision, c.high) for c in shares] == [(0, 100.0), (1, 300.0), (0, 301.0)]
    for crash in (2, 3, 4):
        assert as_arrived(ticks, [crash]) == whole
