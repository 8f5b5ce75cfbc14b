"""What all tests share: silent logs, and where recorded market data is."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from libs.events.kafka.address import KafkaAddress
from tests.servers import TestKafka, described, running_kafka, why_none
from tests.undisturbed import import_undisturbed

RECORDED_DATA = "ALPHASTOCKS_RECORDED_DATA"

# Here and not in a test, for it must be imported before pytest's plugin would do so, late.
hypothesis = import_undisturbed("hypothesis")
# Whoever runs the tests sees the same examples; `make explore` looks for others. No deadlines:
# a busy machine must not fail a property.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", max_examples=1_000, deadline=None)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _silent_logs() -> Iterator[None]:
    """Log nowhere, so that no logger keeps a stream that a test has closed."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), processors=[_drop])
    yield
    structlog.reset_defaults()


def _drop(_logger: object, _method: str, _event: structlog.typing.EventDict) -> str:
    raise structlog.DropEvent


def pytest_report_collectionfinish() -> list[str]:
    """Say which servers the tests use."""
    return described()


@pytest.fixture(scope="session")
def test_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestKafka]:
    """A real Kafka; skips, with the reason, on a machine that cannot run one."""
    if reason := why_none():
        pytest.skip(reason)
    with running_kafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka


@pytest.fixture(scope="session")
def kafka(test_kafka: TestKafka) -> KafkaAddress:
    """Where the real Kafka is."""
    return test_kafka.address


@pytest.fixture(scope="session")
def recorded_ticks() -> Path:
    """The folder of recorded ticks, ALPHASTOCKS_RECORDED_DATA/ticks_2021; skips without it."""
    named = os.environ.get(RECORDED_DATA)
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = (Path(named) if named else beside) / "ticks_2021"
    if not folder.is_dir():
        pytest.skip(f"no recorded ticks at {folder}; name their folder with {RECORDED_DATA}")
    return folder
