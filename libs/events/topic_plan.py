"""Compares the topics of a cluster with the topic table and plans the changes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from libs.events.topics import DAY_MS, TOPICS, Topic, dead_letter_topic

Keep = Literal["by_time", "by_size"]
"""Retention by time for live feeds; by size for simulated or recorded days, because a record's
timestamp is its event time and an old day would be deleted before it is read."""

_FOR_EVER = str(2**63 - 1)
_GIB = 1024**3
_SIZES = {"ticks": 8 * _GIB}
_BOUNDS = ("retention.ms", "retention.bytes")
DEAD_LETTER_MS = 30 * DAY_MS
MARKET = frozenset({"ticks", "candles", "historical_candles"})
"""Topics partitioned by instrument: another number of partitions would move the instruments."""


@dataclass(frozen=True, slots=True)
class WantedTopic:
    """A topic as the table defines it."""

    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FoundTopic:
    """A topic of the cluster: `configs` are effective, `own` are those set for this topic."""

    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str]
    own: Mapping[str, str] = field(default_factory=dict)
    has_records: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a topic; `what` is a config key, or "partitions"."""

    topic: str
    what: str
    found: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes that make the cluster match the table, and the ones that are refused."""

    creations: tuple[WantedTopic, ...] = ()
    changes: tuple[Change, ...] = ()
    refusals: tuple[str, ...] = ()
    wanted: Mapping[str, WantedTopic] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to change and nothing refused."""
        return not (self.creations or self.changes or self.refusals)


def wanted_topics(keep: Keep, replication: int, max_bytes: int) -> list[WantedTopic]:
    """Return the topics of the table and their dead-letter topics."""
    made = []
    for topic in TOPICS.values():
        shared = _shared(replication, max_bytes)
        own = {**shared, **_retention(topic, keep)}
        dead = {**shared, **_kept(DEAD_LETTER_MS, _GIB, keep), "cleanup.policy": "delete"}
        dead_name = dead_letter_topic(topic.name)
        made.append(WantedTopic(topic.name, topic.partitions, replication, own))
        made.append(WantedTopic(dead_name, topic.partitions, replication, dead))
    return made


def plan(wanted: list[WantedTopic], found: Mapping[str, FoundTopic]) -> Plan:
    """Return the plan for a cluster; topics that are not wanted are left alone."""
    creations, changes, refusals = [], [], []
    for topic in wanted:
        there = found.get(topic.name)
        if there is None:
            creations.append(topic)
            continue
        changes += _differences(topic, there)
        refusals += _refusals(topic, there)
    by_name = {topic.name: topic for topic in wanted}
    return Plan(tuple(creations), tuple(changes), tuple(refusals), by_name)


def _shared(replication: int, max_bytes: int) -> dict[str, str]:
    return {
        "max.message.bytes": str(max_bytes + 65_536),
        "message.timestamp.type": "CreateTime",
        "message.timestamp.before.max.ms": _FOR_EVER,
        "message.timestamp.after.max.ms": _FOR_EVER,
        "min.insync.replicas": str(2 if replication >= 3 else 1),
    }


def _retention(topic: Topic, keep: Keep) -> dict[str, str]:
    if topic.is_compacted:
        return {"cleanup.policy": "compact"}
    kept = _kept(topic.retention_ms or -1, _SIZES.get(topic.name, _GIB), keep)
    return {"cleanup.policy": "delete", **kept}


def _kept(retention_ms: int, size: int, keep: Keep) -> dict[str, str]:
    if keep == "by_time":
        return {"retention.ms": str(retention_ms), "retention.bytes": "-1"}
    return {"retention.ms": "-1", "retention.bytes": str(size)}


def _differences(wanted: WantedTopic, found: FoundTopic) -> list[Change]:
    changes = [
        Change(wanted.name, key, found.configs.get(key, "default"), value)
        for key, value in wanted.configs.items()
        if found.configs.get(key) != value and not _would_drop(key, value, found)
    ]
    if wanted.partitions > found.partitions and not _would_move(wanted, found):
        numbers = str(found.partitions), str(wanted.partitions)
        changes.append(Change(wanted.name, "partitions", *numbers))
    return changes


def _refusals(wanted: WantedTopic, found: FoundTopic) -> list[str]:
    name, reasons = wanted.name, []
    if wanted.partitions < found.partitions:
        reasons.append(
            f"{name}: {found.partitions} partitions, {wanted.partitions} wanted: partitions cannot "
            "be removed without their records"
        )
    if _would_move(wanted, found):
        reasons.append(
            f"{name}: {found.partitions} partitions, {wanted.partitions} wanted: instruments would "
            "move to other partitions than their records"
        )
    reasons += [
        f"{name}: {key} is {found.configs[key]}, {value} wanted: records would be deleted; to "
        "allow it, set it with Kafka's kafka-configs"
        for key, value in wanted.configs.items()
        if _would_drop(key, value, found)
    ]
    if wanted.replication != found.replication:
        reasons.append(
            f"{name}: {found.replication} copies, {wanted.replication} wanted: move them with "
            "Kafka's kafka-reassign-partitions"
        )
    return reasons


def _would_drop(key: str, value: str, found: FoundTopic) -> bool:
    """Return whether a setting would delete existing records."""
    there = found.configs.get(key)
    if there is None or there == value or not found.has_records:
        return False
    if key in _BOUNDS:
        return int(value) >= 0 and (int(there) < 0 or int(value) < int(there))
    return key == "cleanup.policy"


def _would_move(wanted: WantedTopic, found: FoundTopic) -> bool:
    """Return whether more partitions would move instruments to other partitions."""
    is_growing = wanted.partitions > found.partitions
    return is_growing and found.has_records and wanted.name in MARKET
