"""The signal service on a bus: each strategy signal is validated or refused once."""

import asyncio
from typing import Any

from libs.events.event import identity, utc_from_ms
from libs.events.signals import SignalActivated, SignalGenerated, StrategySignal
from libs.runtime.service import Parts, Service
from libs.runtime.testing import ServiceHarness
from services.signal.service import make_service
from services.signal.settings import SignalSettings
from tests.unit.services.position.builders import DAY, at

NOW = at(10, 30)


def strategy_signal(number: int = 1, **changes: Any) -> StrategySignal:
    fields: dict[str, Any] = {
        "event_id": identity("test strategy signal", number),
        "occurred_at": utc_from_ms(NOW + number),
        "trading_day": DAY,
        "correlation_id": identity("test candle", number),
        "strategy": "ma_crossover",
        "strategy_version": "1",
        "parameters": {},
        "exchange": "NSE",
        "tradingsymbol": "NIFTY 50",
        "underlying": "NIFTY",
        "interval": "15m",
        "candle_opened_at": utc_from_ms(NOW - 900_000),
        "candle_closed_at": utc_from_ms(NOW),
        "action": "BUY",
        "price": 25_000.0,
        "stop_loss": 24_750.0,
        "target": 25_500.0,
        "confidence": 0.85,
        "expected_move": 2.0,
        "indicators": {},
    }
    return StrategySignal(**(fields | changes))


def make(parts: Parts) -> Service:
    return make_service(SignalSettings(), parts)


async def kinds(harness: ServiceHarness) -> list[str]:
    topics = ("signal_generated", "signal_updates")
    return [event.type for topic in topics for event in await harness.published(topic)]


def test_a_signal_is_generated_and_validated() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as harness:
            await harness.publish(strategy_signal())
            assert await kinds(harness) == ["SignalGenerated", "SignalValidated"]
            (generated,) = await harness.published("signal_generated")
            assert generated.causation_id == strategy_signal().event_id
            assert generated.correlation_id == strategy_signal().correlation_id

    asyncio.run(story())


def test_after_a_restart_a_repeat_gives_nothing_and_a_duplicate_is_still_refused() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as first:
            await first.publish(strategy_signal(1))
        async with ServiceHarness(make, bus=first.bus) as second:
            await second.publish(strategy_signal(1))
            assert await kinds(second) == ["SignalGenerated", "SignalValidated"]
            await second.publish(strategy_signal(2, price=25_010.0))
            rejected = (await second.published("signal_updates"))[-1]
            assert rejected.model_dump()["reason"] == "duplicate"

    asyncio.run(story())


def test_signals_published_during_downtime_are_handled_after_the_start() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as first:
            await first.publish(strategy_signal(1))
        async with ServiceHarness(lambda _: Service("nobody"), bus=first.bus) as nobody:
            await nobody.publish(strategy_signal(2, underlying="SBIN", tradingsymbol="SBIN"))
        async with ServiceHarness(make, bus=first.bus) as second:
            await second.bus.idle()
            generated = await second.published("signal_generated")
            symbols = [e.tradingsymbol for e in generated if isinstance(e, SignalGenerated)]
            assert symbols == ["NIFTY 50", "SBIN"]

    asyncio.run(story())


def test_impossible_transitions_are_counted_at_info() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as harness:
            event_id = identity("test update")
            update = SignalActivated(
                event_id=event_id,
                occurred_at=utc_from_ms(NOW),
                trading_day=DAY,
                correlation_id=event_id,
                signal_id=identity("nobody's signal"),
                strategy="ma_crossover",
                underlying="NIFTY",
                tradingsymbol="NIFTY 50",
                action="BUY",
            )
            await harness.publish(update)
            assert harness.runner.service.describe() == {"refused_transitions": 1}

    asyncio.run(story())


def test_each_state_is_counted_with_its_reason_and_open_signals_are_measured() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as harness:
            await harness.publish(strategy_signal(1), strategy_signal(2, price=25_010.0))
            rendered = harness.metrics.render().decode()
            assert 'signals_total{reason="",state="VALIDATED"} 1.0' in rendered
            assert 'signals_total{reason="duplicate",state="REJECTED"} 1.0' in rendered
            assert harness.measured("signals_open", "VALIDATED") == 1

    asyncio.run(story())
