"""A signal that waited on the bus while nothing ran is not refused for want of the first quotes."""

from libs.events.orders import OrderPlanned
from libs.events.signals import ExecutionDecided
from services.executor.domain.early_signals import LONGEST_MS, QUOTED_MS
from services.executor.domain.executor import OptionsExecutor
from tests.unit.services.executor.builders import (
    NOW,
    chain_listed,
    chain_rows,
    make_executor,
    signal,
    ticks,
)


def begun() -> OptionsExecutor:
    """An executor that has just started: it knows the day's contracts, and no quotes."""
    executor = make_executor()
    for event in chain_listed():
        executor.restore(event)
    executor.settle([], 0)
    return executor


def decisions(effects: object) -> list[ExecutionDecided]:
    assert isinstance(effects, tuple)
    return [one for one in effects if isinstance(one, ExecutionDecided)]


def test_it_is_decided_once_a_second_of_quotes_has_come() -> None:
    executor = begun()
    assert executor.on_event(signal(), 0) == ()
    first = NOW + 500
    assert decisions(executor.on_event(ticks(chain_rows(), first), first)) == []
    assert decisions(executor.on_time(first + QUOTED_MS - 1)) == []
    effects = executor.on_time(first + QUOTED_MS)
    assert [type(one) for one in effects if isinstance(one, OrderPlanned)] == [OrderPlanned]
    assert [one.outcome for one in decisions(effects)] == ["executed"]
    assert decisions(executor.on_time(first + 2 * QUOTED_MS)) == []


def test_a_heartbeat_is_no_quote() -> None:
    executor = begun()
    executor.on_event(signal(), 0)
    executor.on_event(ticks([], NOW), NOW)
    assert decisions(executor.on_time(NOW + QUOTED_MS)) == []


def test_without_quotes_it_is_refused_after_a_while_and_the_next_ones_at_once() -> None:
    executor = begun()
    executor.on_event(signal(), 0)
    assert decisions(executor.on_time(NOW)) == []
    assert decisions(executor.on_time(NOW + LONGEST_MS - 1)) == []
    (refused,) = decisions(executor.on_time(NOW + LONGEST_MS))
    assert refused.outcome == "refused"
    assert len(decisions(executor.on_event(signal(2), NOW + LONGEST_MS))) == 1


def test_several_are_decided_in_the_order_in_which_they_came_and_each_once() -> None:
    executor = begun()
    for number in (1, 2, 1):
        assert executor.on_event(signal(number), 0) == ()
    executor.on_event(ticks(chain_rows(), NOW), NOW)
    made = decisions(executor.on_time(NOW + QUOTED_MS))
    assert [one.signal_id for one in made] == [signal(1).signal_id, signal(2).signal_id]


def test_what_comes_after_the_first_quotes_is_decided_at_once() -> None:
    executor = begun()
    executor.on_event(ticks(chain_rows(), NOW), NOW)
    assert len(decisions(executor.on_event(signal(), NOW))) == 1
