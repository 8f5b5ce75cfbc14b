"""The Kafka that tests run on: the environment's, else Docker's, else one of our own.

Each pytest worker has its own, started when the first test asks for it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from libs.events.kafka.address import KafkaAddress
from libs.events.kafka_server.errors import KafkaServerError
from libs.events.kafka_server.jars import JARS_VARIABLE, kafka_version
from libs.events.kafka_server.java import find_java
from libs.events.kafka_server.server import MAX_BYTES, LocalKafka

KAFKA_VARIABLE = "ALPHASTOCKS_TEST_KAFKA"  # host:port
JARS = Path("var/kafka/jars")


@dataclass(frozen=True, slots=True)
class TestKafka:
    """Where it is, and the server itself where it is ours to kill."""

    __test__ = False

    address: KafkaAddress
    server: LocalKafka | None = None


def described() -> str:
    """Return which Kafka the tests use, or why there is none."""
    named = os.environ.get(KAFKA_VARIABLE)
    if named:
        return f"kafka: {named}"
    if _has_docker():
        return "kafka: a container of Docker's"
    return f"kafka: {why_none() or f'a server of our own, {kafka_version()}'}"


def why_none() -> str:
    """Return why no Kafka can be had on this machine, nothing if one can."""
    if os.environ.get(KAFKA_VARIABLE) or _has_docker():
        return ""
    try:
        find_java()
    except KafkaServerError as error:
        return str(error)
    has_jars = os.environ.get(JARS_VARIABLE) or (JARS / f"kafka-{kafka_version()}").is_dir()
    return "" if has_jars or shutil.which("mvn") else "no `mvn` on this machine to fetch Kafka with"


@contextmanager
def running_kafka(folder: Path) -> Iterator[TestKafka]:
    """Yield a Kafka for tests, started if need be."""
    named = os.environ.get(KAFKA_VARIABLE)
    if named:
        yield TestKafka(KafkaAddress(named))
    elif _has_docker():
        with _container() as bootstrap:
            yield TestKafka(KafkaAddress(bootstrap))
    else:
        with LocalKafka(folder, JARS) as server:
            yield TestKafka(server.address, server)


def _has_docker() -> bool:
    """Return whether an engine answers; the client alone is no engine."""
    import docker

    if not os.environ.get("DOCKER_HOST") and not Path("/var/run/docker.sock").exists():
        return False
    try:
        client = docker.from_env(timeout=5)
    except docker.errors.DockerException:
        return False
    client.close()
    return True


@contextmanager
def _container() -> Iterator[str]:
    from testcontainers.community.kafka import KafkaContainer

    container = KafkaContainer().with_kraft()
    container.with_env("KAFKA_MESSAGE_MAX_BYTES", str(MAX_BYTES + 65_536))
    container.with_env("KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS", "1000")
    with container:
        yield container.get_bootstrap_server()
