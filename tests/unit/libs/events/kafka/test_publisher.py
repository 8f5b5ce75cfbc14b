"""A commit of a transaction that fails for once is made again."""

import asyncio

import pytest
from aiokafka import errors

from libs.events.bus import Record
from libs.events.errors import BusUnavailable, EventError
from libs.events.kafka import publisher as publishers
from libs.events.kafka.address import Codec, KafkaAddress
from libs.events.kafka.publisher import FencedPublisher, PlainPublisher


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


class Noting:
    """Takes records, and notes those of each compression and whether they were flushed."""

    made: dict[str | None, "Noting"]

    def __init__(self, _: KafkaAddress, compression_type: str | None = None) -> None:
        self.topics: list[str] = []
        self.flushed = self.is_started = self.is_stopped = False
        self.made[compression_type] = self

    async def start(self) -> None:
        self.is_started = True

    async def send(self, topic: str, **options: object) -> "asyncio.Future[None]":
        self.topics.append(topic)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future

    async def flush(self) -> None:
        self.flushed = True

    async def stop(self) -> None:
        self.is_stopped = True


@pytest.mark.parametrize(
    ("codec", "packed"),
    [("zstd", ["ticks", "candles"]), ("lz4", ["ticks", "candles"]), ("none", [])],
)
def test_market_data_alone_is_compressed(
    monkeypatch: pytest.MonkeyPatch, codec: Codec, packed: list[str]
) -> None:
    monkeypatch.setattr(Noting, "made", {}, raising=False)
    monkeypatch.setattr(publishers, "_producer", Noting)
    topics = ["ticks", "orders", "candles", "control"]

    async def day() -> None:
        publisher = PlainPublisher(KafkaAddress("localhost:1", compression=codec))
        await publisher.start()
        for topic in topics:
            await publisher.send(Record(topic, "key", b"value", 0), 0)
        await publisher.flush()
        await publisher.stop()

    asyncio.run(day())
    assert Noting.made[None].topics == [topic for topic in topics if topic not in packed]
    assert (Noting.made[codec].topics if packed else []) == packed
    assert len(Noting.made) == 1 + bool(packed)
    assert all(one.is_started and one.flushed and one.is_stopped for one in Noting.made.values())


def test_a_compressing_producer_that_cannot_connect_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Away(Noting):
        async def start(self) -> None:
            if "zstd" in self.made and not tries:
                tries.append(1)
                raise errors.KafkaConnectionError("away")
            await super().start()

    tries: list[int] = []
    monkeypatch.setattr(Noting, "made", {}, raising=False)
    monkeypatch.setattr(publishers, "_producer", Away)

    async def day() -> None:
        publisher = PlainPublisher(KafkaAddress("localhost:1"))
        await publisher.start()
        with pytest.raises(BusUnavailable):
            await publisher.send(Record("ticks", "key", b"value", 0), 0)
        assert Noting.made["zstd"].is_stopped
        await publisher.send(Record("ticks", "key", b"value", 0), 0)
        await publisher.stop()

    asyncio.run(day())
    assert Noting.made["zstd"].topics == ["ticks"]
