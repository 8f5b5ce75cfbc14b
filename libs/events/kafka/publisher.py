"""Producers: plain, or in the transactions of a fence.

aiokafka's idempotent producer retries until the broker is back; each record is written once, in
order.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer

from libs.events.bus import Record, TopicPartition
from libs.events.errors import BusFailed, EventError
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.messages import kafka_partition, our_errors, within
from libs.events.topics import MARKET_TOPICS

REPLY_TIMEOUT_SECONDS = 10.0
"""Timeout of an acknowledgement; then BusUnavailable is raised."""
TRANSACTION_MS = 10_000
"""The broker aborts a transaction that is open for longer, and fences its producer."""
LEASE = ".lease"
"""End of the name of a group whose offsets are the counter of a fence."""
_LEASE = TopicPartition("control", 0)
_BATCH_BYTES = 1024 * 1024


class Publisher(Protocol):
    """What the bus and its consumers need of a producer."""

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Send the queued records and close."""

    async def send(self, record: Record, partition: int) -> None:
        """Queue a record."""

    async def flush(self) -> None:
        """Return when all queued records are acknowledged."""


class PlainPublisher:
    """Sends records at once; each is visible to readers when it is written.

    Market data is compressed, by a producer of its own that is made for the first such record:
    aiokafka's compress all or nothing, and the small records of orders would only arrive later.
    """

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._producer = _producer(address)
        self._packing: AIOKafkaProducer | None = None
        self._failure: BaseException | None = None

    async def start(self) -> None:
        """Connect."""
        await self._producer.start()

    async def stop(self) -> None:
        """Send the queued records and close."""
        await _stopped(self._producer)
        if self._packing is not None:
            await _stopped(self._packing)

    async def send(self, record: Record, partition: int) -> None:
        """Queue a record; wait while the partition's queue is full."""
        producer = await self._producer_of(record.topic)
        future = await _sent(self._address, producer, record, partition)
        future.add_done_callback(self._note)

    async def flush(self) -> None:
        """Return when all queued records are acknowledged; raise if one cannot be."""
        await within(REPLY_TIMEOUT_SECONDS, self._flush_all(), self._address, "flush")
        if self._failure is not None:
            with our_errors(self._address, "flush"):
                raise self._failure

    async def _flush_all(self) -> None:
        await self._producer.flush()
        if self._packing is not None:
            await self._packing.flush()

    async def _producer_of(self, topic: str) -> AIOKafkaProducer:
        if topic not in MARKET_TOPICS or self._address.compression == "none":
            return self._producer
        if self._packing is None:
            packing = _producer(self._address, compression_type=self._address.compression)
            try:
                await within(REPLY_TIMEOUT_SECONDS, packing.start(), self._address, "connect")
            except BaseException:
                await _stopped(packing)
                raise
            self._packing = packing
        return self._packing

    def _note(self, future: "asyncio.Future[Any]") -> None:
        if not future.cancelled() and future.exception() is not None:
            self._failure = self._failure or future.exception()


class FencedPublisher:
    """Sends records in transactions: those between two flushes become visible together or never.

    Its start aborts the open transaction of an earlier process with the same fence; the broker
    refuses that process from then on. Offsets are committed in transactions too, so a fenced
    process notices within one checkpoint.
    """

    def __init__(self, address: KafkaAddress, fence: str) -> None:
        self._address = address
        self._producer = _producer(
            address,
            transactional_id=address.named(fence),
            transaction_timeout_ms=TRANSACTION_MS,
        )
        self._fence = fence
        self._confirmed = 0
        self._turn = asyncio.Lock()
        self._is_open = False
        self._ending: asyncio.Task[None] | None = None
        self._failure: EventError | None = None
        self._refused: BaseException | None = None

    async def start(self) -> None:
        """Connect and take the fence."""
        await self._producer.start()

    async def stop(self) -> None:
        """Commit the open transaction and close."""
        if self._failure is None and self._is_open:
            await self.flush()
        await _stopped(self._producer)

    async def send(self, record: Record, partition: int) -> None:
        """Queue a record in the transaction that the next flush commits."""
        async with self._turn:
            await self._begun()
            future = await _sent(self._address, self._producer, record, partition)
            future.add_done_callback(self._note)

    async def flush(self) -> None:
        """Commit the transaction; raise Fenced if another process took the fence."""
        async with self._turn:
            await self._end()

    async def confirm(self) -> None:
        """Check the fence, by committing an offset of a group of its own; raise Fenced."""
        self._confirmed += 1
        await self.commit(f"{self._fence}{LEASE}", {_LEASE: self._confirmed})

    async def commit(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit a group's offsets together with the queued records."""
        theirs = {kafka_partition(self._address, p): at for p, at in offsets.items()}
        async with self._turn:
            await self._begun()
            named = self._address.named(group)
            await self._tried(
                lambda: self._producer.send_offsets_to_transaction(theirs, named), "commit offsets"
            )
            await self._end()

    async def _begun(self) -> None:
        self._check()
        if self._ending is not None:
            await self._end()
        if not self._is_open:
            await self._tried(self._producer.begin_transaction, "begin a transaction")
            self._is_open = True

    async def _end(self) -> None:
        """Commit; after a timeout the next call waits for the same commit."""
        if not self._is_open:
            self._check()
            return
        if self._ending is None:
            await self._tried(self._producer.flush, "flush")
            self._check_records()
            self._ending = asyncio.ensure_future(self._producer.commit_transaction())
        ending = self._ending
        try:
            await self._tried(lambda: asyncio.shield(ending), "end a transaction")
        finally:
            if ending.done():
                self._ending = None
        self._is_open = False

    def _note(self, future: "asyncio.Future[Any]") -> None:
        if not future.cancelled() and future.exception() is not None:
            self._refused = self._refused or future.exception()

    def _check_records(self) -> None:
        """Raise for a transaction that lacks a record: it must never be committed."""
        if self._refused is None:
            return
        try:
            with our_errors(self._address, "end a transaction"):
                raise self._refused
        except EventError as error:
            self._failure = BusFailed(str(error)) if error.is_retriable else error
        raise self._failure

    async def _tried(self, work: Callable[[], Awaitable[None]], doing: str) -> None:
        self._check()
        try:
            await within(REPLY_TIMEOUT_SECONDS, work(), self._address, doing)
        except EventError as error:
            self._failure = None if error.is_retriable else error
            raise

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure


def _producer(address: KafkaAddress, **options: Any) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        **address.options(),
        **options,
        acks="all",
        enable_idempotence=True,
        max_request_size=address.max_bytes,
        max_batch_size=min(_BATCH_BYTES, address.max_bytes),
    )


async def _sent(
    address: KafkaAddress, producer: AIOKafkaProducer, record: Record, partition: int
) -> "asyncio.Future[Any]":
    with our_errors(address, f"publish to {record.topic}/{partition}"):
        future: asyncio.Future[Any] = await producer.send(
            address.named(record.topic),
            value=record.value,
            key=record.key.encode(),
            partition=partition,
            timestamp_ms=record.timestamp_ms,
            headers=list(record.headers),
        )
        return future


async def _stopped(producer: AIOKafkaProducer) -> None:
    stopping = asyncio.ensure_future(producer.stop())
    done, _ = await asyncio.wait([stopping], timeout=REPLY_TIMEOUT_SECONDS)
    if not done:  # the broker is away; unacknowledged records are made again from the input
        stopping.cancel()
        await asyncio.wait([stopping])
        await producer.client.close()
