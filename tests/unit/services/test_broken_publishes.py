"""Each publish of each service fails once: after the redelivery no event is missing."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from libs.broker.paper import PaperBroker, PaperRules
from libs.events.embedded import bus as embedded_bus
from libs.events.event import Event
from libs.events.orders import OrderFilled, OrderPlaced
from libs.events.signals import SignalExpired, SignalRejected
from libs.runtime.service import Parts, Service
from services.executor.domain.plans import position_id_of
from services.executor.service import make_service as make_executor
from services.executor.settings import ExecutorSettings
from services.position.service import make_service as make_position
from services.position.settings import PositionSettings
from tests.unit.services.breaking import BreakingBus, Outcome, outcome
from tests.unit.services.candle import test_service as candle
from tests.unit.services.executor import builders as trade
from tests.unit.services.position.builders import NOW, fill, ticks
from tests.unit.services.signal import test_service as signal
from tests.unit.services.strategy import test_service as strategy

BREAKS = 12
"""More than any of these services publishes here, so that each publish breaks once."""


@dataclass(frozen=True, slots=True)
class Case:
    """A service, its input, and the topics to which it publishes."""

    make: Callable[[], Callable[[Parts], Service]]
    inputs: Sequence[Event]
    outputs: tuple[str, ...]
    has_whole_state: bool = True
    before: tuple[Event, ...] = ()
    """What is on the bus when the service starts."""


def position_inputs() -> list[Event]:
    return [
        fill(),
        fill(quantity=75, order=2),
        ticks(83.0, NOW + 1000),
        fill("SELL", price="83.00", quantity=75, at_ms=NOW + 2000),
        fill("SELL", price="82.00", quantity=75, at_ms=NOW + 3000, order=3),
    ]


def executor_inputs() -> list[Event]:
    position = position_id_of(trade.signal().signal_id)
    rows = [
        trade.ticks(trade.chain_rows(at_ms=trade.NOW + after), at_ms=trade.NOW + after)
        for after in (0, 600, 1200, 61_000, 62_000)
    ]
    return [
        *trade.chain_listed(),
        rows[0],
        trade.signal(),
        trade.signal(2, confidence=0.1),
        *rows[1:3],
        trade.exit_requested(position),
        *rows[3:],
    ]


def executor_of_one_venue() -> Callable[[Parts], Service]:
    """The paper venue plays the broker, so it outlives the service."""
    venue = PaperBroker(PaperRules())
    return lambda parts: make_executor(ExecutorSettings(mode="paper"), parts, venue)


CASES = {
    "position": Case(
        lambda: lambda parts: make_position(PositionSettings(), parts),
        position_inputs(),
        ("positions", "signal_updates", "exit_requests", "performance"),
    ),
    "signal": Case(
        lambda: signal.make,
        [
            signal.strategy_signal(1),
            signal.strategy_signal(2),
            signal.strategy_signal(3, price=1.0),
        ],
        ("signal_generated",),
    ),
    "strategy": Case(
        lambda: strategy.make,
        [*(strategy.candle(n, 100.0 - n) for n in range(3)), strategy.candle(3, 105.0)],
        ("strategy_signals",),
        has_whole_state=False,
        before=(strategy.loaded(candles=0),),
    ),
    "candle": Case(
        lambda: candle.make,
        [candle.sbin(), *candle.batches(candle.FIRST), *candle.batches([(190, 102.0, 40)], 1)],
        ("candles",),
        has_whole_state=False,
    ),
}


@pytest.fixture(autouse=True)
def _ticks_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bus that keeps messages, like Kafka, so that they can be delivered again."""
    monkeypatch.setattr(embedded_bus, "IN_MEMORY", frozenset())


def broken_at(case: Case, folder: Path, place: int | None, *, is_checking: bool) -> Outcome:
    bus = BreakingBus(folder / f"{place}-{is_checking}", case.outputs)
    bus.breaks_at, bus.is_checking = place, is_checking
    return asyncio.run(asyncio.wait_for(outcome(case.make(), case.inputs, bus, case.before), 60))


@pytest.mark.parametrize("name", CASES)
def test_a_publish_that_breaks_anywhere_loses_nothing(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    undisturbed = broken_at(case, tmp_path, None, is_checking=False)
    count = sum(len(events) for events in undisturbed.values())
    assert 1 <= count < BREAKS
    for place in range(1, BREAKS):
        assert broken_at(case, tmp_path, place, is_checking=False) == undisturbed, place


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.has_whole_state])
def test_an_event_that_is_too_large_once_loses_nothing(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    undisturbed = broken_at(case, tmp_path, None, is_checking=False)
    for place in range(1, BREAKS):
        assert broken_at(case, tmp_path, place, is_checking=True) == undisturbed, place


EXECUTOR = Case(executor_of_one_venue, executor_inputs(), ("orders", "decisions", "signal_updates"))


def bought_and_sold(made: Outcome) -> tuple[int, int]:
    fills = [event for event in made["orders"].values() if isinstance(event, OrderFilled)]
    by_side = Counter[str]()
    for event in fills:
        by_side[event.transaction_type] += event.fill_quantity
    return by_side["BUY"], by_side["SELL"]


def test_the_executor_trades_a_signal_once_wherever_its_publish_breaks(tmp_path: Path) -> None:
    """A plan that a crash left unsent is given up, never sent late: less is traded, never more."""
    undisturbed = broken_at(EXECUTOR, tmp_path, None, is_checking=False)
    bought, sold = bought_and_sold(undisturbed)
    assert bought == sold > 0
    for place in range(1, sum(map(len, undisturbed.values())) + 1):
        made = broken_at(EXECUTOR, tmp_path, place, is_checking=False)
        placed = Counter(e.tag for e in made["orders"].values() if isinstance(e, OrderPlaced))
        assert set(placed.values()) <= {1}, place
        assert bought_and_sold(made) in {(bought, sold), (0, 0)}, place
        updates = made["signal_updates"].values()
        ended = {e.signal_id for e in updates if isinstance(e, SignalExpired | SignalRejected)}
        is_traded = bought_and_sold(made) != (0, 0)
        assert is_traded or trade.signal().signal_id in ended, place


def test_the_executor_loses_nothing_by_an_event_that_is_too_large_once(tmp_path: Path) -> None:
    undisturbed = broken_at(EXECUTOR, tmp_path, None, is_checking=False)
    bought, sold = bought_and_sold(undisturbed)
    for place in range(1, sum(map(len, undisturbed.values())) + 1):
        made = broken_at(EXECUTOR, tmp_path, place, is_checking=True)
        assert bought_and_sold(made) in {(bought, sold), (0, 0)}, place
