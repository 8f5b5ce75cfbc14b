"""Where records are after a restore: new offsets for old ones. Pure.

A restored partition counts its records from 0. In the log that was backed up, offsets have gaps:
markers of transactions, compacted and expired records. So committed offsets are translated, and
the headers that name a message by its offset.
"""

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping

from libs.events.bus import Headers, Message, Record, TopicPartition
from libs.runtime.dead_letters import ORIGIN
from libs.runtime.partition_state import CAUSE
from services.local.commands.dead_letters import RETRIED

_PLACE = re.compile(rb"((?P<topic>[\w.-]+)/)?(?P<partition>\d+)/(?P<offset>\d+)")

Offsets = Mapping[TopicPartition, "array[int]"]
"""The old offsets of each partition's records, in order: the index of one is its new offset."""


def new_commit(offsets: Offsets, topic_partition: TopicPartition, old: int) -> int:
    """Return the committed offset: before it are the same records as before."""
    return bisect_left(offsets.get(topic_partition, ()), old)


def new_place(offsets: Offsets, topic_partition: TopicPartition, old: int) -> int:
    """Return a record's offset; for a record that is not kept, that of the last one before it.

    It is -1 if there is none. So a cause that was before the committed offset stays before it.
    """
    return bisect_right(offsets.get(topic_partition, ()), old) - 1


def restored(offsets: Offsets | None, message: Message) -> Record:
    """Return the record to publish, with its headers translated; None: offsets stay the same."""
    return Record(
        topic=message.topic,
        key=message.key,
        value=message.value,
        timestamp_ms=message.timestamp_ms,
        partition=message.partition,
        headers=message.headers if offsets is None else _translated(offsets, message),
    )


def _translated(offsets: Offsets, message: Message) -> Headers:
    return tuple((name, _value(offsets, message.topic, name, v)) for name, v in message.headers)


def _value(offsets: Offsets, topic: str, name: str, value: bytes) -> bytes:
    """Return a header's value; one that names no place, of a stranger's record, stays as it is."""
    named = _PLACE.fullmatch(value)
    if named is None or name not in {CAUSE, ORIGIN, RETRIED}:
        return value
    of_topic = topic if named["topic"] is None else named["topic"].decode()
    partition, offset = int(named["partition"]), int(named["offset"])
    new = new_place(offsets, TopicPartition(of_topic, partition), offset)
    return b"%s%d/%d" % (value[: named.start("partition")], partition, new)
