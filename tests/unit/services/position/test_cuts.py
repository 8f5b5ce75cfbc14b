"""A crash between two publishes is repaired: the input is delivered again and says the same."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import count
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.event import Event
from tests.unit.services.position.builders import (
    NOW,
    contract,
    fill,
    hear,
    make_positions,
    restarted,
    ticks,
)


def undisturbed(inputs: Sequence[Event]) -> list[Event]:
    return hear(make_positions(), *inputs)


def cut(inputs: Sequence[Event], at: int, after: int) -> list[Event]:
    """What is published when the process dies after so many events of the input number `at`."""
    held = make_positions()
    published = hear(held, *inputs[:at])
    published += hear(held, inputs[at])[:after]
    held = restarted(published)
    return published + hear(held, *inputs[at:])


def by_id(events: Sequence[Event]) -> dict[UUID, Event]:
    return {event.event_id: event for event in events}


def cuts(inputs: Sequence[Event]) -> list[tuple[int, int]]:
    """Each place at which something is published: input, and how many of its events are out."""
    held = make_positions()
    sizes = [len(hear(held, one)) for one in inputs]
    return [(at, after) for at, size in enumerate(sizes) for after in range(size + 1)]


SLICES = [
    fill(quantity=75),
    fill(quantity=75, number=2),
    fill(quantity=75, order=2, price="121.50"),
    fill("SELL", quantity=75, price="130", at_ms=NOW + 60_000),
    fill("SELL", quantity=75, number=2, price="131", at_ms=NOW + 61_000),
    fill("SELL", quantity=75, order=2, price="90", at_ms=NOW + 62_000),
]
STOPPED = [
    fill(),
    ticks(83.0, NOW + 1000),
    fill("SELL", price="83.00", at_ms=NOW + 2000),
]
SEVERAL = [
    fill(of=1),
    fill(of=2),
    fill("SELL", of=1, price="150", at_ms=NOW + 1000),
    fill("SELL", of=2, price="100", at_ms=NOW + 2000),
    fill(of=3, at_ms=NOW + 3000),
    fill("SELL", of=3, price="140", at_ms=NOW + 4000),
]
AT_ONCE = [fill(of=1), fill(of=2), ticks(80.0, NOW + 60_000), ticks(79.0, NOW + 120_000)]
STORIES = {"slices": SLICES, "stopped": STOPPED, "several": SEVERAL, "at once": AT_ONCE}


@pytest.mark.parametrize("inputs", STORIES.values(), ids=STORIES)
def test_wherever_publishing_fails_the_same_events_are_published_in_the_end(
    inputs: list[Event],
) -> None:
    whole = by_id(undisturbed(inputs))
    places = cuts(inputs)
    assert len(places) > len(inputs)
    for at, after in places:
        assert by_id(cut(inputs, at, after)) == whole, (at, after)


def test_one_tick_may_ask_for_several_exits_and_mark_several_positions() -> None:
    held = make_positions()
    hear(held, *AT_ONCE[:2])
    assert [event.type for event in hear(held, AT_ONCE[2])] == [
        "ExitRequested",
        "PositionUpdated",
        "ExitRequested",
        "PositionUpdated",
    ]


def fills_of(steps: Sequence[tuple[bool, int, int]]) -> list[Event]:
    """Purchases and sales of three positions, never of more than is held."""
    held, made = dict.fromkeys((1, 2, 3), 0), list[Event]()
    for number, (is_purchase, of, lots) in zip(count(1), steps, strict=False):
        at_ms, on = NOW + number * 1000, contract(instrument_token=100 + of)
        if is_purchase:
            made.append(fill("BUY", 75 * lots, "120", number, at_ms, of=of, contract=on))
            held[of] += 75 * lots
        elif held[of]:
            sold = min(75 * lots, held[of])
            price = str(Decimal(100) + number)
            made.append(fill("SELL", sold, price, number, at_ms, of=of, contract=on))
            held[of] -= sold
    return made


steps = st.lists(st.tuples(st.booleans(), st.integers(1, 3), st.integers(1, 3)), min_size=1)


@given(steps, st.data())
def test_fills_whose_publishing_fails_anywhere_publish_the_same_events_in_the_end(
    some: list[tuple[bool, int, int]], data: st.DataObject
) -> None:
    inputs = fills_of([(True, 1, 1), *some])
    at, after = data.draw(st.sampled_from(cuts(inputs)))
    assert by_id(cut(inputs, at, after)) == by_id(undisturbed(inputs))
