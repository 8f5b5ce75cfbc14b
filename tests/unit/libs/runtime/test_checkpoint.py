from hypothesis import given
from hypothesis import strategies as st

from libs.events.bus import Message, TopicPartition
from libs.runtime.checkpoint import Checkpoint

PLACES = st.sampled_from(
    [TopicPartition("ticks", 0), TopicPartition("ticks", 1), TopicPartition("orders", 0)]
)


def message(partition: TopicPartition, offset: int) -> Message:
    return Message(partition.topic, partition.partition, offset, "key", b"", 0)


@given(st.lists(PLACES))
def test_taken_are_exactly_the_next_offsets_of_what_was_noted(
    partitions: list[TopicPartition],
) -> None:
    checkpoint = Checkpoint(1000, 1000)
    for at, partition in enumerate(partitions):
        checkpoint.note(message(partition, partitions[:at].count(partition)), now_ms=at)
    assert checkpoint.take() == {
        partition: partitions.count(partition) for partition in set(partitions)
    }
    assert checkpoint.take() == {}


@given(st.lists(PLACES), st.sets(PLACES))
def test_partitions_that_were_forgotten_are_not_taken_and_the_others_are(
    partitions: list[TopicPartition], lost: set[TopicPartition]
) -> None:
    checkpoint = Checkpoint(1000, 1000)
    for at, partition in enumerate(partitions):
        checkpoint.note(message(partition, partitions[:at].count(partition)), now_ms=at)
    checkpoint.forget(lost)
    assert checkpoint.take() == {
        partition: partitions.count(partition) for partition in set(partitions) - lost
    }


@given(st.integers(1, 20), st.integers(0, 40))
def test_it_is_due_once_so_many_messages_were_noted(every: int, noted: int) -> None:
    checkpoint = Checkpoint(every, every_ms=1000)
    for offset in range(noted):
        checkpoint.note(message(TopicPartition("ticks", 0), offset), now_ms=0)
    assert checkpoint.is_due(now_ms=999) == (noted >= every)


@given(st.integers(1, 1000), st.integers(0, 2000))
def test_it_is_due_so_long_after_the_first_message(every_ms: int, passed_ms: int) -> None:
    checkpoint = Checkpoint(1000, every_ms)
    checkpoint.note(message(TopicPartition("ticks", 0), 0), now_ms=50)
    checkpoint.note(message(TopicPartition("ticks", 0), 1), now_ms=50 + passed_ms)
    assert checkpoint.is_due(50 + passed_ms) == (passed_ms >= every_ms)


def test_without_a_message_it_is_never_due() -> None:
    checkpoint = Checkpoint(1, 1)
    assert not checkpoint.is_due(10_000)
    checkpoint.note(message(TopicPartition("ticks", 0), 0), now_ms=0)
    checkpoint.take()
    assert not checkpoint.is_due(20_000)
