"""Records of Kafka to messages and back, and its errors to ours."""

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
"""Bytes of a record besides its key, value and headers: no less than Kafka adds itself."""
_REFUSED = (
    kafka_errors.TopicAuthorizationFailedError,
    kafka_errors.GroupAuthorizationFailedError,
    kafka_errors.ClusterAuthorizationFailedError,
    kafka_errors.TransactionalIdAuthorizationFailed,
)


def kafka_partition(address: KafkaAddress, partition: TopicPartition) -> KafkaPartition:
    """Return a partition as aiokafka names it."""
    return KafkaPartition(address.named(partition.topic), partition.partition)


def our_partition(address: KafkaAddress, partition: KafkaPartition) -> TopicPartition:
    """Return a partition as we name it."""
    return TopicPartition(address.unnamed(partition.topic), partition.partition)


def messages_of(
    address: KafkaAddress, fetched: Mapping[KafkaPartition, list[ConsumerRecord[Any, Any]]]
) -> Iterator[Message]:
    """Yield what was fetched, in order within each partition."""
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
    """Return the bytes that a record takes in a request, at most."""
    headers = sum(len(name.encode()) + len(value) + 10 for name, value in record.headers)
    return len(record.key.encode()) + len(record.value) + headers + _AROUND_A_RECORD


@contextmanager
def our_errors(address: KafkaAddress, doing: str) -> Iterator[None]:
    """Raise our errors for Kafka's; `doing` says in the message what was tried."""
    try:
        yield
    except kafka_errors.ProducerFenced:
        raise Fenced(
            f"{doing}: fenced: another process with this fence has started, or the broker gave up "
            "a transaction that took too long; this one must not go on"
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
    """Await something for so long, then raise BusUnavailable; it may be asked for again."""
    try:
        with our_errors(address, doing):
            return await asyncio.wait_for(work, seconds)
    except TimeoutError:
        raise BusUnavailable(
            f"{doing}: Kafka at {address.bootstrap} has not answered for {seconds:g} s"
        ) from None
