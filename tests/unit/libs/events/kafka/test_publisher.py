"""A commit of a transaction that fails for once is made again."""

import asyncio

import pytest
from aiokafka import errors

from libs.events.bus import Record
from libs.events.errors import BusUnavailable, EventError
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.publisher import FencedPublisher


class Producer:
    """Answers the first commit with an error that says that trying again can help."""

    def __init__(self) -> None:
        self.commits = 0

    async def begin_transaction(self) -> None:
        pass

    async def commit_transaction(self) -> None:
        self.commits += 1
        if self.commits == 1:
            raise errors.NodeNotReadyError("leader moves")

    async def flush(self) -> None:
        pass

    async def send(self, *args: object, **options: object) -> "asyncio.Future[None]":
        return asyncio.get_running_loop().create_future()


def test_a_commit_that_failed_is_tried_again_by_the_next_flush() -> None:
    async def story() -> int:
        publisher = FencedPublisher(KafkaAddress(bootstrap="localhost:1"), "executor")
        await publisher._producer.stop()
        publisher._producer = producer = Producer()
        await publisher._begun()
        for _ in range(3):
            try:
                await publisher.flush()
                break
            except BusUnavailable:
                continue
        return producer.commits

    assert asyncio.run(story()) == 2, "the first error is raised again for ever"


class Refused(Producer):
    """Takes a record; then the broker refuses its batch, and takes the commit of the others."""

    commits = 1

    async def send(self, *args: object, **options: object) -> "asyncio.Future[None]":
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_exception(errors.MessageSizeTooLargeError("larger than the broker takes"))
        future.exception()
        return future

    def __init__(self) -> None:
        self.commits = 1


def test_a_transaction_with_a_record_that_the_broker_refused_is_not_committed() -> None:
    """PlainPublisher notes the failure; the fenced one (executor, position) does not look."""

    async def story() -> None:
        publisher = FencedPublisher(KafkaAddress(bootstrap="localhost:1"), "executor")
        await publisher._producer.stop()
        publisher._producer = Refused()
        await publisher.send(Record("orders", "key", b"plan", 1), 0)
        with pytest.raises(EventError):
            await publisher.flush()

    asyncio.run(story())
