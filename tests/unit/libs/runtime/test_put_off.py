"""Messages that may wait are handled with the next one that may not."""

from libs.events.bus import Message
from libs.events.errors import PoisonMessage
from libs.runtime.put_off import MOST, Pair, PutOff
from tests.unit.libs.runtime.loops import halted
from tests.unit.libs.runtime.test_runs import Sums


def pair(number: int, partition: int = 0) -> Pair:
    return Message("control", partition, number, "", b"", number), halted(number)


def numbers(pairs: list[Pair]) -> list[int]:
    return [message.offset for message, _ in pairs]


def test_without_runs_nothing_waits() -> None:
    put_off = PutOff(None)
    assert numbers(put_off.due([pair(1)])) == [1]


def test_what_may_wait_is_due_with_the_next_one_of_its_partition_that_may_not() -> None:
    put_off = PutOff(Sums())
    assert put_off.due([pair(1)]) == []
    assert put_off.due([pair(2, partition=1)]) == []
    assert put_off.due([pair(3), pair(4)]) == []
    assert numbers(put_off.due([pair(10)])) == [1, 3, 4, 10]
    assert [numbers(waiting) for waiting in put_off.take_all()] == [[2]]
    assert put_off.take_all() == []


def test_a_message_that_cannot_be_read_does_not_wait() -> None:
    put_off = PutOff(Sums())
    put_off.due([pair(1)])
    unreadable: Pair = (pair(2)[0], PoisonMessage("nonsense"))
    assert numbers(put_off.due([unreadable])) == [1, 2]


def test_only_so_many_wait() -> None:
    put_off = PutOff(Sums())
    several = [number for number in range(1, 2 * MOST) if number % 10]
    due = [numbers(put_off.due([pair(number)])) for number in several[:MOST]]
    assert due[:-1] == [[]] * (MOST - 1)
    assert due[-1] == several[:MOST]


def test_what_waits_of_a_partition_that_another_member_has_now_is_dropped() -> None:
    put_off = PutOff(Sums())
    put_off.due([pair(1)])
    put_off.due([pair(2, partition=1)])
    put_off.forget([pair(1)[0].topic_partition])
    assert [numbers(waiting) for waiting in put_off.take_all()] == [[2]]
