"""What separates a cluster's topics from the table, and what is refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.topic_plan import FoundTopic, Keep, Plan, WantedTopic, plan, wanted_topics
from libs.events.topics import TOPICS

WANTED = wanted_topics("by_time", 1, 1_000_000)
BY_NAME = {topic.name: topic for topic in WANTED}
DAY_MS = 86_400_000


def as_found(topic: WantedTopic, **changes: object) -> FoundTopic:
    """The topic as a cluster has it that was made by the table."""
    made = FoundTopic(topic.name, topic.partitions, topic.replication, topic.configs, topic.configs)
    return replace(made, **changes)  # type: ignore[arg-type]


def differing(name: str, key: str, value: str, *, has_records: bool = True) -> Plan:
    """The plan for a topic of which one setting differs."""
    topic = BY_NAME[name]
    configs = {**topic.configs, key: value}
    found = as_found(topic, configs=configs, own=configs, has_records=has_records)
    return plan([topic], {name: found})


def applied(made: Plan, found: dict[str, FoundTopic]) -> dict[str, FoundTopic]:
    """The cluster after a plan, as the admin carries it out."""
    after = dict(found) | {topic.name: as_found(topic) for topic in made.creations}
    for change in made.changes:
        topic = after[change.topic]
        if change.what == "partitions":
            after[change.topic] = replace(topic, partitions=int(change.wanted))
        else:
            configs = {**topic.configs, change.what: change.wanted}
            after[change.topic] = replace(topic, configs=configs, own=configs)
    return after


def test_an_empty_cluster_gets_all_topics_and_those_of_their_dead_letters() -> None:
    made = plan(WANTED, {})
    assert {topic.name for topic in made.creations} == {
        name for topic in TOPICS for name in (topic, f"{topic}.dlq")
    }
    assert not made.changes
    assert not made.refusals


def test_a_cluster_as_the_table_says_needs_nothing() -> None:
    assert plan(WANTED, {topic.name: as_found(topic) for topic in WANTED}).is_empty


def test_topics_that_nobody_wants_are_left_alone() -> None:
    other = FoundTopic("theirs", 3, 1, {})
    found = {topic.name: as_found(topic) for topic in WANTED} | {"theirs": other}
    assert plan(WANTED, found).is_empty


def test_ticks_are_kept_a_day_and_compacted_topics_for_ever() -> None:
    assert BY_NAME["ticks"].configs["retention.ms"] == str(DAY_MS)
    assert BY_NAME["positions"].configs["cleanup.policy"] == "compact"
    assert "retention.ms" not in BY_NAME["positions"].configs


@pytest.mark.parametrize("name", ["ticks", "orders", "ticks.dlq"])
def test_days_long_past_are_bounded_by_size_since_their_age_would_end_them(name: str) -> None:
    topic = {one.name: one for one in wanted_topics("by_size", 1, 1_000_000)}[name]
    assert topic.configs["retention.ms"] == "-1"
    assert int(topic.configs["retention.bytes"]) > 0


def test_three_copies_are_acknowledged_by_two() -> None:
    (one,) = {topic.configs["min.insync.replicas"] for topic in WANTED}
    (two,) = {t.configs["min.insync.replicas"] for t in wanted_topics("by_time", 3, 1_000_000)}
    assert (one, two) == ("1", "2")


def test_a_setting_that_differs_is_changed() -> None:
    made = differing("orders", "max.message.bytes", "1000")
    assert [(c.what, c.found, c.wanted) for c in made.changes] == [
        ("max.message.bytes", "1000", "1065536")
    ]


def test_fewer_partitions_are_refused() -> None:
    topic = BY_NAME["orders"]
    made = plan([topic], {"orders": as_found(topic, partitions=9)})
    assert made.refusals == (
        "orders: 9 partitions, 4 wanted: partitions cannot be removed without their records",
    )


def test_more_partitions_are_added_where_no_instrument_moves() -> None:
    orders, ticks = BY_NAME["orders"], BY_NAME["ticks"]
    few = {"orders": as_found(orders, partitions=1, has_records=True)}
    few["ticks"] = as_found(ticks, partitions=2)
    made = plan([orders, ticks], few)
    assert [(c.topic, c.wanted) for c in made.changes] == [("orders", "4"), ("ticks", "8")]


def test_more_partitions_are_refused_where_records_stand_by_instrument() -> None:
    ticks = BY_NAME["ticks"]
    made = plan([ticks], {"ticks": as_found(ticks, partitions=2, has_records=True)})
    (reason,) = made.refusals
    assert "ticks: 2 partitions, 8 wanted" in reason
    assert not made.changes


@pytest.mark.parametrize(
    ("key", "value"),
    [("retention.ms", "-1"), ("retention.ms", str(9 * DAY_MS)), ("cleanup.policy", "compact")],
)
def test_what_would_drop_records_is_refused_by_name(key: str, value: str) -> None:
    made = differing("candles", key, value)
    (reason,) = made.refusals
    assert reason.startswith(f"candles: {key} is {value}")
    assert not made.changes


@pytest.mark.parametrize(("key", "value"), [("retention.ms", "-1"), ("cleanup.policy", "compact")])
def test_a_topic_without_records_has_none_to_lose(key: str, value: str) -> None:
    made = differing("candles", key, value, has_records=False)
    assert [change.what for change in made.changes] == [key]
    assert not made.refusals


def test_keeping_records_for_longer_is_no_loss() -> None:
    made = differing("candles", "retention.ms", str(DAY_MS))
    assert [change.wanted for change in made.changes] == [str(7 * DAY_MS)]


def test_another_number_of_copies_is_work_for_kafkas_own_tool() -> None:
    topic = BY_NAME["orders"]
    (reason,) = plan([topic], {"orders": as_found(topic, replication=2)}).refusals
    assert "kafka-reassign-partitions" in reason


keeps: st.SearchStrategy[Keep] = st.sampled_from(["by_time", "by_size"])


@given(keeps, keeps, st.integers(1, 4), st.integers(1, 3), st.booleans(), st.booleans())
def test_a_plan_that_was_carried_out_leaves_nothing_but_what_it_refused(
    before: Keep, now: Keep, partitions: int, replication: int, has_records: bool, is_new: bool
) -> None:
    wanted = wanted_topics(now, 1, 1_000_000)
    found = {
        topic.name: as_found(
            topic,
            partitions=min(partitions, topic.partitions),
            replication=replication,
            has_records=has_records,
        )
        for topic in wanted_topics(before, 1, 2_000_000)
        if not (is_new and topic.name == "control")
    }
    first = plan(wanted, found)
    second = plan(wanted, applied(first, found))
    assert second.refusals == first.refusals
    assert not second.creations
    assert not second.changes
