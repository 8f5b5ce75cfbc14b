"""When a day's messages are handled: nothing is left, and nothing moves any more."""

import asyncio
from collections.abc import Mapping

from libs.events.bus import TopicPartition
from libs.events.kafka.admin import GroupStanding
from services.local.play.draining import LONGEST_SECONDS, LOOK_SECONDS, drained

SIGNALS, ORDERS = TopicPartition("signal_generated", 0), TopicPartition("orders", 0)
Look = list[GroupStanding]


def standing(group: str, place: TopicPartition, committed: int, end: int) -> GroupStanding:
    return GroupStanding(group, {place: committed}, {place: end})


class Cluster:
    """Answers with one look after the other, the last one for ever; a clock that sleeps."""

    def __init__(self, *looks: Look, messages: Mapping[TopicPartition, int] | None = None) -> None:
        self.looks, self.messages = list(looks), messages or {}
        self.seconds, self.counted = 0.0, list[tuple[TopicPartition, int, int]]()

    async def standings(self) -> Look:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    async def count(self, place: TopicPartition, start: int, stop: int) -> int:
        self.counted.append((place, start, stop))
        return self.messages.get(place, 0)

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def now(self) -> float:
        return self.seconds

    def drained(self) -> tuple[int, float]:
        """What is left, and after how many seconds."""
        left = asyncio.run(drained(self, self.now, self.sleep))
        return left, self.seconds


def test_when_nothing_is_left_and_nothing_has_moved_it_is_over() -> None:
    assert Cluster([standing("executor", SIGNALS, 9, 9)]).drained() == (0, LOOK_SECONDS)


def test_a_service_that_catches_up_is_waited_for() -> None:
    behind = [[standing("executor", SIGNALS, at, 9)] for at in (3, 5, 7)]
    assert Cluster(*behind, [standing("executor", SIGNALS, 9, 9)]).drained() == (0, 4)


def test_what_was_published_between_two_looks_is_waited_for() -> None:
    """The orders were looked at before the signal was handled that leads to one more."""
    first = [standing("position", ORDERS, 4, 4), standing("executor", SIGNALS, 9, 9)]
    then = [standing("position", ORDERS, 4, 5), standing("executor", SIGNALS, 9, 9)]
    last = [standing("position", ORDERS, 5, 5), standing("executor", SIGNALS, 9, 9)]
    assert Cluster(first, then, last).drained() == (0, 3)


def test_the_marker_of_a_transaction_is_no_message() -> None:
    cluster = Cluster([standing("position", ORDERS, 4, 5)], messages={ORDERS: 0})
    assert cluster.drained() == (0, LOOK_SECONDS)
    assert cluster.counted == [(ORDERS, 4, 5)]


def test_after_the_deadline_it_says_how_many_are_left() -> None:
    cluster = Cluster([standing("position", ORDERS, 4, 6)], messages={ORDERS: 1})
    assert cluster.drained() == (1, LONGEST_SECONDS)


def test_many_are_not_read_but_taken_from_the_offsets() -> None:
    cluster = Cluster([standing("executor", SIGNALS, 0, 5_000)])
    assert cluster.drained() == (5_000, LONGEST_SECONDS)
    assert cluster.counted == []
