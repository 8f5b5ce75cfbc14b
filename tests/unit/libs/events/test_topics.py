"""The table of topics: complete, unambiguous, and the same partitions for ever."""

from collections import Counter
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events import candles, control, instruments, orders, positions, signals, ticks
from libs.events.candles import CandleBatch
from libs.events.errors import UnknownTopic
from libs.events.event import Event
from libs.events.topics import (
    MARKET_PARTITIONS,
    TOPIC_OF,
    TOPICS,
    Topic,
    dead_letter_topic,
    partition_of_key,
    topic_named,
)
from tests.unit.libs.events.samples import candle_batch, event_classes, sample, tick_batch

MODULES = (candles, control, instruments, orders, positions, signals, ticks)
SERVICES = {"ingest", "candle", "strategy", "signal", "executor", "position"}
ROLES = SERVICES | {f"{name}'s writer" for name in SERVICES} | {"any service", "all"}
each_topic = pytest.mark.parametrize("topic", TOPICS.values(), ids=list(TOPICS))


def concrete_events() -> set[type[Event]]:
    """Every event class that can be published: those that name their type."""
    classes = [value for module in MODULES for value in vars(module).values()]
    return {
        each
        for each in classes
        if isinstance(each, type)
        and issubclass(each, Event)
        and each.model_fields["type"].default == each.__name__
    }


def test_every_event_has_exactly_one_topic() -> None:
    topics_of = Counter(event for topic in TOPICS.values() for event in topic.events)
    assert set(topics_of) == concrete_events()
    assert {event for event, count in topics_of.items() if count != 1} == {CandleBatch}
    assert TOPIC_OF["CandleBatch"] == "candles"
    assert len(TOPIC_OF) == len(topics_of)


def test_no_two_events_have_the_same_type() -> None:
    names = [event.model_fields["type"].default for event in event_classes()]
    assert len(names) == len(set(names))


@each_topic
def test_a_topic_says_who_writes_and_who_reads_it(topic: Topic) -> None:
    assert topic.written_by
    assert topic.read_by
    assert {*topic.written_by, *topic.read_by} <= ROLES


@each_topic
def test_a_topic_has_partitions_and_a_retention_unless_it_is_compacted(topic: Topic) -> None:
    assert topic.partitions >= 1
    assert topic.is_compacted == (topic.retention_ms is None)
    assert topic.retention_ms is None or topic.retention_ms > 0
    assert TOPICS[topic.name] is topic


def test_the_market_topics_have_the_same_partitions() -> None:
    of_market = [topic for topic in TOPICS.values() if topic.key == "partition"]
    assert {topic.name for topic in of_market} == {"ticks", "candles", "historical_candles"}
    assert {topic.partitions for topic in of_market} == {MARKET_PARTITIONS}


@pytest.mark.parametrize("event", event_classes(), ids=lambda event: event.__name__)
def test_an_event_has_a_key_and_a_partition_of_its_topic(event: type[Event]) -> None:
    one = sample(event)
    topic = TOPICS[TOPIC_OF[one.type]]
    key = topic.key_of(one)
    assert isinstance(key, str)
    assert key
    if topic.key != "partition":
        assert topic.partition_for(one, topic.partitions) == partition_of_key(key, topic.partitions)


def test_market_data_goes_to_its_own_partition() -> None:
    assert TOPICS["ticks"].partition_for(tick_batch(partition=3), 8) == 3
    batch = candle_batch().model_copy(update={"partition": 6})
    assert TOPICS["candles"].partition_for(batch, 8) == 6


def test_all_of_one_signal_and_all_of_one_position_stay_in_order() -> None:
    for name, attribute in (("orders", "signal_id"), ("positions", "position_id")):
        topic = TOPICS[name]
        for event in topic.events:
            one = sample(event)
            assert topic.key_of(one) == str(getattr(one, attribute))


@pytest.mark.parametrize(
    ("key", "partitions"),
    [
        ("NIFTY", [0, 0, 0, 0]),
        ("BANKNIFTY", [0, 2, 2, 10]),
        ("default", [0, 3, 7, 15]),
        ("", [0, 0, 0, 0]),
        ("M&M — ₹", [0, 2, 2, 2]),
    ],
)
def test_the_partition_of_a_key_never_changes(key: str, partitions: list[int]) -> None:
    assert [partition_of_key(key, count) for count in (1, 4, 8, 16)] == partitions


@given(st.text(), st.integers(min_value=1, max_value=1000))
def test_a_key_has_a_partition_that_exists(key: str, partitions: int) -> None:
    assert 0 <= partition_of_key(key, partitions) < partitions
    assert partition_of_key(key, partitions) == crc32(key.encode()) % partitions


def test_keys_spread_over_the_partitions() -> None:
    used = Counter(partition_of_key(f"signal {number}", 4) for number in range(1000))
    assert len(used) == 4
    assert min(used.values()) > 150


def test_an_unknown_topic_is_named_with_those_that_are_known() -> None:
    with pytest.raises(UnknownTopic, match=r"'tick'; known: ticks, instruments"):
        topic_named("tick")


def test_dead_letters_stand_beside_their_topic() -> None:
    assert dead_letter_topic("orders") == "orders.dlq"
    assert not {dead_letter_topic(name) for name in TOPICS} & set(TOPICS)
