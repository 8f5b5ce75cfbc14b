"""A Kafka server of our own, as any client sees it."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from libs.events.kafka.address import KafkaAddress
from libs.servers.kafka.certificates import self_signed
from libs.servers.kafka.config import Security
from libs.servers.kafka.errors import KafkaFailed, KafkaFolderBusy, KafkaMissing
from libs.servers.kafka.jars import kafka_jars
from libs.servers.kafka.server import LocalKafka
from tests.integration.processes import python, running

JARS = Path("var/kafka/jars")
USER, PASSWORD = "a user-name", 'a "pass\\word", = ₹'
YEAR_2021_MS = 1_609_459_200_000
YEAR_2099_MS = 4_070_908_800_000
ORPHAN = """
import sys, time
from pathlib import Path
from libs.servers.kafka.server import LocalKafka
with LocalKafka(Path(sys.argv[1]), Path(sys.argv[2])) as server:
    Path("pid").write_text(f"{server.pid}")
    Path("pid").rename("started")
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def jars() -> Path:
    try:
        kafka_jars(JARS)
    except KafkaMissing as error:
        pytest.skip(str(error))
    return JARS.absolute()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, jars: Path) -> Iterator[LocalKafka]:
    with LocalKafka(tmp_path_factory.mktemp("kafka"), jars) as server:
        yield server


async def create(address: KafkaAddress, topic: str) -> None:
    admin = AIOKafkaAdminClient(**address.options())
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()


async def write(
    address: KafkaAddress, topic: str, values: list[bytes], at_ms: int | None = None
) -> None:
    sent = AIOKafkaProducer(**address.options(), acks="all", max_request_size=address.max_bytes)
    async with sent as producer:
        for value in values:
            await producer.send_and_wait(topic, value, timestamp_ms=at_ms)


async def read(address: KafkaAddress, topic: str, count: int) -> list[tuple[bytes | None, int]]:
    async with AIOKafkaConsumer(
        **address.options(), auto_offset_reset="earliest", isolation_level="read_committed"
    ) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        async with asyncio.timeout(20):
            found = [await consumer.getone() for _ in range(count)]
    return [(message.value, message.timestamp) for message in found]


async def values(address: KafkaAddress, topic: str, count: int) -> list[bytes | None]:
    return [value for value, _ in await read(address, topic, count)]


def test_what_was_acknowledged_is_there_after_a_kill_and_a_start_that_blocks_no_loop(
    server: LocalKafka,
) -> None:
    async def again() -> int:
        turns = 0
        starting = asyncio.ensure_future(server.start_async())
        while not starting.done():
            await asyncio.sleep(0.01)
            turns += 1
        await starting
        return turns

    written = [b"%d" % number for number in range(100)]
    before = server.bootstrap
    asyncio.run(create(server.address, "kept"))
    asyncio.run(write(server.address, "kept", written))
    server.kill()
    assert asyncio.run(again()) > 10
    assert server.bootstrap == before
    assert asyncio.run(values(server.address, "kept", 100)) == written


def test_records_of_any_year_are_taken_at_their_time(server: LocalKafka) -> None:
    asyncio.run(create(server.address, "years"))
    for at_ms in (YEAR_2021_MS, YEAR_2099_MS):
        asyncio.run(write(server.address, "years", [b"x"], at_ms))
    found = asyncio.run(read(server.address, "years", 2))
    assert [at_ms for _, at_ms in found] == [YEAR_2021_MS, YEAR_2099_MS]


def test_a_record_may_have_the_size_that_the_address_names(server: LocalKafka) -> None:
    value = os.urandom(server.address.max_bytes - 1024)
    asyncio.run(create(server.address, "large"))
    asyncio.run(write(server.address, "large", [value]))
    assert asyncio.run(values(server.address, "large", 1)) == [value]


def test_a_transaction_is_read_once_it_is_committed(server: LocalKafka) -> None:
    async def write_two() -> None:
        async with AIOKafkaProducer(
            **server.address.options(), transactional_id="one", enable_idempotence=True
        ) as producer:
            for value, is_kept in ((b"aborted", False), (b"committed", True)):
                await producer.begin_transaction()
                await producer.send_and_wait("transactions", value)
                await (producer.commit_transaction() if is_kept else producer.abort_transaction())

    asyncio.run(create(server.address, "transactions"))
    asyncio.run(write_two())
    assert asyncio.run(values(server.address, "transactions", 1)) == [b"committed"]


def test_a_named_member_comes_back_to_its_partition_and_offset(server: LocalKafka) -> None:
    async def member() -> int:
        async with AIOKafkaConsumer(
            "members",
            **server.address.options(),
            group_id="group",
            group_instance_id="member-0",
            session_timeout_ms=1000,
            heartbeat_interval_ms=200,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        ) as consumer:
            async with asyncio.timeout(20):
                message = await consumer.getone()
            await consumer.commit({TopicPartition("members", 0): message.offset + 1})
            return int(message.value or b"")

    asyncio.run(create(server.address, "members"))
    asyncio.run(write(server.address, "members", [b"1", b"2"]))
    assert [asyncio.run(member()) for _ in range(2)] == [1, 2]


def test_a_folder_has_one_server(server: LocalKafka, jars: Path) -> None:
    with pytest.raises(KafkaFolderBusy, match=f"in use by process {os.getpid()}"):
        LocalKafka(server.log.parent, jars).start()
    with pytest.raises(KafkaFolderBusy, match="runs already"):
        server.start()


def test_a_start_that_fails_says_why_in_a_line(tmp_path: Path, jars: Path) -> None:
    server = LocalKafka(tmp_path / "kafka", jars)
    port = int(server.bootstrap.rpartition(":")[2])
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(KafkaFailed, match=r"server\.log: .*Address already in use\.?$"),
    ):
        server.start()


def test_two_servers_at_once_ask_for_a_password_and_encrypt(tmp_path: Path, jars: Path) -> None:
    certificate = self_signed(tmp_path / "certificate")
    stranger = self_signed(tmp_path / "stranger")
    asking = Security("SASL_PLAINTEXT", USER, PASSWORD)
    both = Security("SASL_SSL", USER, PASSWORD, certificate)
    with ExitStack() as stack:
        first = stack.enter_context(LocalKafka(tmp_path / "first", jars, asking)).address
        second = stack.enter_context(LocalKafka(tmp_path / "second", jars, both)).address
        for address in (first, second):
            asyncio.run(create(address, "topic"))
            asyncio.run(write(address, "topic", [address.bootstrap.encode()]))
            assert asyncio.run(values(address, "topic", 1)) == [address.bootstrap.encode()]
            assert_refused(replace(address, password="another"))
        assert_refused(replace(second, ca_file=stranger.ca_file))
        assert_refused(replace(second, security_protocol="SASL_PLAINTEXT"))


def assert_refused(address: KafkaAddress) -> None:
    with pytest.raises(KafkaError):
        asyncio.run(create(address, "refused"))


def test_the_server_ends_with_whoever_started_it(tmp_path: Path, jars: Path) -> None:
    with running(python("-c", ORPHAN, tmp_path / "kafka", jars), tmp_path) as parent:
        started = tmp_path / "started"
        parent.until(started.exists, "the server answers")
        pid = int(started.read_text())
        parent.end(signal.SIGKILL)
        deadline = monotonic() + 10
        while Path(f"/proc/{pid}").exists():
            assert monotonic() < deadline
            sleep(0.02)
