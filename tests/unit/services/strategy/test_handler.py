"""Strategies are somebody's code: what one does wrong stops it alone, and never the loop."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest

from libs.events.candles import Candle
from libs.events.control import StrategyStopped
from libs.events.signals import StrategySignal
from libs.runtime.runner import watch
from libs.runtime.service import Parts, Service
from libs.runtime.testing import ServiceHarness
from libs.strategy.strategy import Strategy
from services.strategy.domain.registry import KnownStrategies
from services.strategy.handler import StrategyTooSlow
from services.strategy.service import make_service
from services.strategy.settings import StrategyChoice, StrategySettings
from tests.unit.services.strategy.test_service import candle


class Good(Strategy):
    """Buys each candle."""

    name = "good"
    interval = "5m"
    history_needed = 0

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        return self.buy(candle, stop_loss=1.0, target=2 * candle.close, confidence=0.7)


class ReturnsADict(Good):
    name = "wrong"

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        return cast(StrategySignal, {"action": "BUY"})


class Exits(Good):
    name = "wrong"

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        raise SystemExit(3)


class Raises(Good):
    name = "wrong"

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        raise StopIteration


class Yields(Good):
    name = "wrong"

    def on_candle(self, candle: Candle) -> Any:
        yield self.buy(candle, stop_loss=1.0, target=2 * candle.close, confidence=0.7)


class HoldsALock(Good):
    """Cannot be copied: it holds a lock and a generator."""

    name = "locked"

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.numbers: Iterator[int] = (number for number in range(1000))

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        with self.lock:
            next(self.numbers)
        return super().on_candle(candle)


class Blocks(Good):
    """Blocks until the test lets it go on."""

    name = "wrong"
    released = threading.Event()

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        self.released.wait(30)
        return super().on_candle(candle)


class WrongLevels(Good):
    name = "refused"

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        return self.buy(candle, stop_loss=200.0, target=50.0, confidence=0.7)


class WrongNumbers(Good):
    name = "refused"

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        return self.buy(candle, stop_loss=float("nan"), target=150.0, confidence=0.7)


class WrongIndicator(Good):
    name = "refused"

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        levels = {"stop_loss": 1.0, "target": 2 * candle.close, "confidence": 0.7}
        return self.buy(candle, **levels, indicators={"rsi": float("nan")})


@dataclass(frozen=True)
class Making:
    """Makes the service with strategies."""

    classes: tuple[type[Strategy], ...]
    limit: float = 2.0
    is_replay: bool = False

    def __call__(self, parts: Parts) -> Service:
        known = KnownStrategies({one.name: one for one in self.classes})
        choices = tuple(StrategyChoice(name=one.name) for one in self.classes)
        settings = StrategySettings(strategies=choices, time_limit_seconds=self.limit)
        replayed = Parts(
            parts.bus, parts.clock, parts.metrics, parts.store, is_replay=self.is_replay
        )
        return make_service(settings, replayed, known)


@dataclass(frozen=True)
class Heard:
    """What a service published."""

    signals: list[str]
    stopped: list[tuple[str, str]]
    described: list[dict[str, Any]]
    refused: float | None


async def heard(harness: ServiceHarness) -> Heard:
    signals = [e.strategy for e in await harness.published("strategy_signals")]  # type: ignore[attr-defined]
    control = await harness.published("control")
    stopped = [(e.strategy, e.reason) for e in control if isinstance(e, StrategyStopped)]
    described = harness.runner.service.describe()["strategies"]
    refused = harness.measured("strategy_refused_signals_total", "refused")
    return Heard(signals, stopped, described, refused)


def played(making: Making, candles: int = 2) -> Heard:
    async def story() -> Heard:
        async with ServiceHarness(making) as harness:
            await harness.publish(*(candle(number, 100.0) for number in range(candles)))
            return await heard(harness)

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (ReturnsADict, "returned a dict"),
        (Exits, "SystemExit: 3"),
        (Raises, "StopIteration"),
        (Yields, "returned a generator"),
    ],
)
def test_a_strategy_that_does_wrong_is_stopped_alone_and_shown_with_its_reason(
    wrong: type[Strategy], reason: str
) -> None:
    made = played(Making((wrong, Good)))
    assert made.signals == ["good", "good"]
    ((name, why),) = made.stopped
    assert name == "wrong"
    assert reason in why
    assert [one["stopped"] for one in made.described] == [why, None]


def test_a_strategy_that_blocks_is_stopped_alone_while_the_loop_goes_on() -> None:
    async def story() -> None:
        async with ServiceHarness(Making((Blocks, Good), limit=0.2)) as harness:
            turns = asyncio.create_task(_turns())
            await harness.publish(candle(0, 100.0), candle(1, 100.0))
            turns.cancel()
            made = await heard(harness)
        assert made.signals == ["good", "good"]
        assert made.stopped == [("wrong", "on NSE:SBIN 5m: it took longer than 0.2 s")]
        assert _Turns.seen > 5

    Blocks.released.clear()
    try:
        asyncio.run(story())
    finally:
        Blocks.released.set()


class _Turns:
    seen = 0


async def _turns() -> None:
    """Count the turns of the event loop: none would be seen while it is blocked."""
    while True:
        await asyncio.sleep(0.01)
        _Turns.seen += 1


def test_in_a_replay_a_strategy_that_blocks_fails_the_run() -> None:
    async def story() -> None:
        async with ServiceHarness(Making((Blocks, Good), 0.2, is_replay=True)) as harness:
            publishing = asyncio.create_task(harness.publish(candle(0, 100.0)))
            await watch([harness.runner], asyncio.Event())
            publishing.cancel()

    Blocks.released.clear()
    try:
        with pytest.raises(StrategyTooSlow, match=r"wrong: on NSE:SBIN: it took longer than 0.2 s"):
            asyncio.run(story())
    finally:
        Blocks.released.set()


@pytest.mark.parametrize("wrong", [WrongLevels, WrongNumbers, WrongIndicator])
def test_a_wrong_signal_is_refused_at_its_source_counted_and_said(wrong: type[Strategy]) -> None:
    made = played(Making((wrong, Good)))
    assert made.signals == ["good", "good"]
    assert made.stopped == []
    assert made.refused == 2
    assert made.described[0]["refused_signals"] == 2
    assert "BUY at 100.0" in made.described[0]["last_refusal"]


def test_a_strategy_that_cannot_be_copied_goes_on_after_a_restart() -> None:
    async def story() -> None:
        async with ServiceHarness(Making((HoldsALock,))) as first:
            await first.publish(candle(0, 100.0))
        async with ServiceHarness(Making((HoldsALock,)), bus=first.bus) as second:
            await second.publish(candle(1, 100.0))
            assert (await heard(second)).signals == ["locked", "locked"]

    asyncio.run(story())


class Cold(Good):
    name = "cold"
    history_needed = 3


def test_an_instrument_without_enough_history_is_shown_with_what_it_lacks_and_since_when() -> None:
    (described,) = played(Making((Cold,))).described
    assert described["cold"] == [
        {
            "instrument": "NSE:SBIN",
            "candles_missing": 1,
            "since": "2026-06-10T03:45:00+00:00",
            "reason": "history",
        }
    ]


def test_after_a_gap_a_strategy_is_silent_until_it_has_seen_its_history_again() -> None:
    async def story() -> None:
        async with ServiceHarness(Making((Cold,))) as harness:
            await harness.publish(*(candle(number, 100.0) for number in range(4)))
            assert (await heard(harness)).signals == ["cold"]
            await harness.publish(*(candle(number, 100.0) for number in (6, 7)))
            (cold,) = (await heard(harness)).described[0]["cold"]
            assert (cold["candles_missing"], cold["reason"]) == (
                1,
                "2 missing before 2026-06-10T04:15Z",
            )
            await harness.publish(candle(8, 100.0))
            assert (await heard(harness)).signals == ["cold"]
            await harness.publish(candle(9, 100.0))
            assert (await heard(harness)).signals == ["cold", "cold"]

    asyncio.run(story())
