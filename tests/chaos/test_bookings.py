"""Days on which parts of a position are booked, and one thing goes wrong: our book is the broker's.

Five lots rise by 30 %: two bookings of a lot each, and the stop at cost. Then the price falls
through it, or a person leaves. The invariants are those of every day (`invariants.py`).
"""

from dataclasses import replace
from functools import cache

import pytest

from tests.chaos.world import Directed, Outcome, Story, play_directed

THIN, LIQUID = 150, 10_000

DAYS = {
    "nothing goes wrong": Directed("nothing:wrong", Story(books=True)),
    "an exit is rejected by the broker": Directed(
        "place.before:refused", Story(books=True), visit=1
    ),
    "an exit is rejected by the exchange": Directed(
        "rejected_in_book:wrong", Story(books=True), visit=1
    ),
    "an exit is cancelled by the exchange": Directed(
        "cancelled_in_book:wrong", Story(books=True), visit=2
    ),
    "bookings fill in parts": Directed("nothing:wrong", Story(books=True, quantity=THIN)),
    "an order fills while it is cancelled": Directed(
        "fill_while_cancelled:wrong", Story(books=True, quantity=THIN)
    ),
    "the reply to an exit is lost": Directed("place.after:timeout", Story(books=True), visit=1),
    "the change of the stop is refused": Directed("modify.before:refused", Story(books=True)),
    "the change of the stop is lost on the way": Directed("modify.wire:lost", Story(books=True)),
    "the change of the stop arrives late": Directed("modify.wire:late", Story(books=True)),
    "the executor dies while it shrinks the stop": Directed(
        "modify.after:crash", Story(books=True)
    ),
    "updates are lost": Directed("update:lost", Story(books=True), visit=2, times=3),
    "the price goes through the stop": Directed(
        "nothing:wrong", Story(books=True, dry_seconds=6, quantity=THIN)
    ),
    "no quotes for half a minute": Directed("feed:late", Story(books=True), seconds=10.0),
    "the broker squares off": Directed("square_off:late", Story(books=True)),
    "a part is sold by hand": Directed("sale_by_hand:late", Story(books=True)),
    "the position service dies after a booking": Directed(
        "position.publish.after:crash", Story(books=True), visit=3
    ),
    "the executor dies after a booking was planned": Directed(
        "publish.after:crash", Story(books=True), visit=4
    ),
    "everything is killed with a stop at rest": Directed(
        "power:late", Story(books=True), seconds=21.0
    ),
    "a night lies in between": Directed("night:early", Story(books=True)),
}


@cache
def played(name: str) -> Outcome:
    day = DAYS[name]
    story = replace(day.story, move="rises_then_falls", move_second=10)
    return play_directed(replace(day, story=story))


@pytest.mark.parametrize("name", DAYS)
def test_with_bookings_our_book_is_the_brokers_each_time(name: str) -> None:
    outcome = played(name)
    assert outcome.violations == (), "\n".join(outcome.story)


def test_on_these_days_parts_are_booked_and_the_fault_happens() -> None:
    assert [name for name in DAYS if not played(name).happened] == []
    booked = [played(name).bookings for name in DAYS]
    assert booked.count(2) >= 0.6 * len(DAYS)
    assert sum(booked) >= 1.5 * len(DAYS)
