"""What all tests share: silent logs, and where recorded market data is."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from libs.events.kafka.address import KafkaAddress
from tests.affected import write_seconds
from tests.proofs import is_sample, register_profiles
from tests.servers import TestKafka, described, running_kafka, why_none

RECORDED_DATA = "ALPHASTOCKS_RECORDED_DATA"

register_profiles()
_seconds: defaultdict[str, float] = defaultdict(float)


def pytest_configure(config: pytest.Config) -> None:
    """Explain the marker of tests that only `make prove` runs."""
    config.addinivalue_line("markers", "proof(reason): too long for `make test`; says how long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave long proofs to `make prove`, but run one that is named on the command line."""
    if not is_sample() or any("::" in word for word in config.args):
        return
    proofs = [item for item in items if item.get_closest_marker("proof")]
    config.hook.pytest_deselected(items=proofs)
    items[:] = [item for item in items if item not in proofs]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up what each test file takes, for `make check` to choose by."""
    _seconds[report.nodeid.partition("::")[0]] += report.duration


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write down what was measured; of several workers only their master does."""
    if _seconds and not hasattr(session.config, "workerinput"):
        write_seconds(session.config.rootpath, _seconds)


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
def recorded() -> Callable[[str], Path]:
    """Path of a recorded file or folder, by its name; skips the test where it is not there."""
    named = os.environ.get(RECORDED_DATA)
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"

    def path(name: str) -> Path:
        if not (folder / name).exists():
            pytest.skip(f"no recorded data at {folder / name}; name their folder: {RECORDED_DATA}")
        return folder / name

    return path


@pytest.fixture(scope="session")
def recorded_ticks(recorded: Callable[[str], Path]) -> Path:
    """The folder of recorded ticks; skips without it."""
    return recorded("ticks_2021")
