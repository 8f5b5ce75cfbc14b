"""A service that cannot use the bus says why in one line, and what to mend."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from libs.events.bus import Record
from libs.events.errors import RecordTooLarge
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.bus import KafkaBus
from libs.events.topics import TOPICS
from libs.servers.kafka.certificates import self_signed
from libs.servers.kafka.config import Security
from libs.servers.kafka.server import LocalKafka
from tests.contracts.kafka_buses import create_topics
from tests.integration.processes import free_ports
from tests.servers import JARS, why_none

PREFIX = "ALPHASTOCKS_BUS__"


def last_words(address: KafkaAddress, **more: str) -> tuple[int, list[str]]:
    """Run the signal service on a bus until it gives up; its status and the end of its log."""
    bus: Mapping[str, str] = {
        "KIND": "kafka",
        "BOOTSTRAP": address.bootstrap,
        "SECURITY_PROTOCOL": address.security_protocol,
        "USER": address.user,
        "PASSWORD": address.password,
        "PREFIX": address.prefix,
        "CONNECT_SECONDS": "0",
        **({"CA_FILE": str(address.ca_file)} if address.ca_file else {}),
        **more,
    }
    environment = {f"{PREFIX}{name}": value for name, value in bus.items()}
    environment["ALPHASTOCKS_RUNTIME__PORT"] = str(free_ports(1))
    done = subprocess.run(
        [sys.executable, "-m", "services.signal"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert address.password == "" or address.password not in done.stderr
    return done.returncode, done.stderr.splitlines()


def test_no_broker_is_named_with_its_address() -> None:
    status, lines = last_words(KafkaAddress("127.0.0.1:1"))
    assert status == 2
    assert lines[-1] == (
        "signal: Kafka at 127.0.0.1:1: connection refused: start it, or see bus.bootstrap"
    )


def test_a_broker_that_is_not_there_yet_is_waited_for_and_said_so() -> None:
    status, lines = last_words(KafkaAddress("127.0.0.1:1"), CONNECT_SECONDS="1.5")
    assert status == 2
    assert any("waiting for the bus" in line for line in lines[:-1])


@pytest.mark.parametrize(("missing", "has"), [("missing", 0), ("fewer", 2)])
def test_a_topic_that_is_not_as_the_table_says_is_named(
    kafka: KafkaAddress, missing: str, has: int
) -> None:
    address = KafkaAddress(kafka.bootstrap, prefix=f"{uuid4().hex[:8]}.")
    counts = {name: topic.partitions for name, topic in TOPICS.items()}
    del counts["strategy_signals"]
    asyncio.run(create_topics(address, counts | ({"strategy_signals": has} if has else {})))
    status, lines = last_words(address)
    assert status == 2
    assert lines[-1].startswith("signal: strategy_signals: ")
    assert ("no topic" in lines[-1]) if missing == "missing" else ("2 partitions" in lines[-1])
    assert "alphastocks topics apply" in lines[-1]


def test_a_record_over_the_limit_is_refused_with_its_topic_and_size(kafka: KafkaAddress) -> None:
    async def story() -> None:
        prefix = f"{uuid4().hex[:8]}."
        address = KafkaAddress(kafka.bootstrap, prefix=prefix, max_bytes=100_000)
        await create_topics(address, {"orders": 4})
        bus = KafkaBus(address)
        await bus.start()
        with pytest.raises(RecordTooLarge, match=r"orders/0: .*200.* bytes"):
            await bus.publish(Record("orders", "k", b"x" * 200_000, 0, 0))
        await bus.publish(Record("orders", "k", b"small", 0, 0))
        await bus.flush()
        assert [m.value async for m in bus.read(["orders"])] == [b"small"]
        await bus.stop()

    asyncio.run(story())


@pytest.fixture(scope="module")
def with_password(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaAddress]:
    """A broker that asks for a password over TLS."""
    if reason := why_none():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("secured")
    security = Security("SASL_SSL", "trader", "opensesame", self_signed(folder / "certificate"))
    server = LocalKafka(folder / "kafka", JARS, security)
    server.start()
    yield server.address
    server.stop()


def test_wrong_credentials_are_said_without_the_password(with_password: KafkaAddress) -> None:
    status, lines = last_words(with_password, PASSWORD="not the one")
    assert status == 2
    assert "refuses the user 'trader' or the password" in lines[-1]
    assert "not the one" not in "".join(lines)


def test_tls_that_differs_is_said(with_password: KafkaAddress, tmp_path: Path) -> None:
    for protocol in ("PLAINTEXT", "SASL_PLAINTEXT"):
        status, lines = last_words(with_password, SECURITY_PROTOCOL=protocol)
        assert status == 2
        assert f"because it does not use {protocol}: see bus.security_protocol" in lines[-1]


def test_a_certificate_that_nobody_vouches_for_is_said(
    with_password: KafkaAddress, tmp_path: Path
) -> None:
    other = self_signed(tmp_path / "other")
    status, lines = last_words(with_password, CA_FILE=str(other.ca_file))
    assert status == 2
    assert "its certificate is not trusted: see bus.ca_file" in lines[-1]
