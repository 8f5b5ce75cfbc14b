"""Converts Kafka's records to messages, partitions both ways, and errors to the bus's."""

import asyncio
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from aiokafka import ConsumerRecord
from aiokafka import TopicPartition as KafkaPartition
from aiokafka import errors as kafka_errors

from libs.events.bus import Message, Record, TopicPartition
from libs.events.errors import BusFailed, BusRefused, BusUnavailable, Fenced, RecordTooLarge
from libs.events.kafka.address import KafkaAddress

T = TypeVar("T")
_AROUND_A_RECORD = 100
"""Upper bound of the bytes that Kafka adds to key, value and headers of a record."""
_REFUSED = (
    kafka_errors.TopicAuthorizationFailedError,
    kafka_errors.GroupAuthorizationFailedError,
    kafka_errors.ClusterAuthorizationFailedError,
    kafka_errors.TransactionalIdAuthorizationFailed,
)


def kafka_partition(address: KafkaAddress, partition: TopicPartition) -> KafkaPartition:
    """Return aiokafka's partition, with the prefix."""
    return KafkaPartition(address.named(partition.topic), partition.partition)


def our_partition(address: KafkaAddress, partition: KafkaPartition) -> TopicPartition:
    """Return a partition of the bus, without the prefix."""
    return TopicPartition(address.unnamed(partition.topic), partition.partition)


def messages_of(
    address: KafkaAddress, fetched: Mapping[KafkaPartition, list[ConsumerRecord[Any, Any]]]
) -> Iterator[Message]:
    """Yield fetched records as messages, in order within each partition."""
    for partition, records in fetched.items():
        topic = address.unnamed(partition.topic)
        for record in records:
            yield Message(
                topic=topic,
                partition=record.partition,
                offset=record.offset,
                key=(record.key or b"").decode(errors="replace"),
                value=record.value or b"",
                timestamp_ms=record.timestamp,
                headers=tuple(record.headers),
            )


def record_size(record: Record) -> int:
    """Return the most bytes that a record can take in a request."""
    headers = sum(len(name.encode()) + len(value) + 10 for name, value in record.headers)
    return len(record.key.encode()) + len(record.value) + headers + _AROUND_A_RECORD


@contextmanager
def our_errors(address: KafkaAddress, doing: str) -> Iterator[None]:
    """Translate Kafka's errors; `doing` names the operation in the message."""
    try:
        yield
    except kafka_errors.ProducerFenced:
        raise Fenced(
            f"{doing}: fenced: another process with this fence has started, or the broker aborted "
            "a transaction that took too long; this process must end"
        ) from None
    except kafka_errors.MessageSizeTooLargeError as error:
        raise RecordTooLarge(f"{doing}: {error}") from None
    except _REFUSED as error:
        raise BusRefused(f"{doing}: Kafka at {address.bootstrap} forbids it: {error}") from None
    except (kafka_errors.KafkaError, AssertionError) as error:
        reason = f"{doing}: Kafka at {address.bootstrap}: {type(error).__name__} {error}".rstrip()
        if getattr(error, "retriable", False):
            raise BusUnavailable(reason) from None
        raise BusFailed(reason) from error


async def within(seconds: float, work: Awaitable[T], address: KafkaAddress, doing: str) -> T:
    """Await a call; raise BusUnavailable, which is retriable, after the timeout."""
    try:
        with our_errors(address, doing):
            return await asyncio.wait_for(work, seconds)
    except TimeoutError:
        raise BusUnavailable(
            f"{doing}: Kafka at {address.bootstrap} has not answered for {seconds:g} s"
        ) from None
