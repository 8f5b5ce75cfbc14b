"""The executor with the paper venue: what fills, and what times out."""

import pytest

from libs.events.orders import OrderCancelled, OrderFilled
from tests.unit.services.executor.builders import signal
from tests.unit.services.executor.handling import Harness, ready

AFTER_THE_TIMEOUT_MS = 65_000


def entered() -> Harness:
    harness = ready()
    harness.hear(signal())
    assert len(harness.plans) == 1
    return harness


def outcome(harness: Harness) -> list[str]:
    kinds = (OrderFilled, OrderCancelled)
    return [event.type for event in harness.events if isinstance(event, kinds)]


def test_an_entry_with_65_seconds_between_two_quotes_fills_by_the_second_one() -> None:
    harness = entered()
    harness.tick(AFTER_THE_TIMEOUT_MS)
    assert outcome(harness) == ["OrderFilled"]


@pytest.mark.parametrize("missing", [{"ask_quantity": 0}, {"ask_price": 0}, {"ask_price": 10_000}])
def test_one_that_the_second_quote_does_not_fill_times_out_by_it(missing: dict[str, int]) -> None:
    harness = entered()
    harness.tick(AFTER_THE_TIMEOUT_MS, **missing)
    assert outcome(harness) == ["OrderCancelled"]
    harness.tick(AFTER_THE_TIMEOUT_MS + 1000)
    assert outcome(harness) == ["OrderCancelled"]
