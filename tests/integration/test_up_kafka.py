"""`alphastocks up --kafka`: the same as processes, on servers that it starts and ends."""

import signal
import sys
from pathlib import Path

import pytest

from libs.servers.kafka.errors import KafkaMissing
from libs.servers.kafka.jars import JARS_VARIABLE, kafka_jars
from services.local.commands.executor_client import chosen_executor
from tests.integration.houses import MINUTE_MS, House, stored, uninterrupted
from tests.servers import JARS


@pytest.fixture(autouse=True)
def _jars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `up` find the jars that are fetched for all tests."""
    try:
        monkeypatch.setenv(JARS_VARIABLE, str(kafka_jars(JARS)))
    except KafkaMissing as error:
        pytest.skip(str(error))


def environments_with(variable: str) -> list[bytes]:
    """Return the environments of the processes that have a variable."""
    files = Path("/proc").glob("[0-9]*/environ")
    found = [text for file in files if (text := readable(file)) is not None]
    return [text for text in found if variable.encode() in text.split(b"\0")]


def readable(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:  # another user's, or its process has just ended
        return None


def test_killed_or_stopped_the_processes_go_on_where_they_were(house: House) -> None:
    with house.up("--kafka", "--speed", 500) as first:
        house.wait_until_ready(first)
        house.wait_for_minute(first, house.first_minute() + 5 * MINUTE_MS)
        first.end(signal.SIGKILL)
    killed_ms = house.last_minute()
    with house.up("--kafka", "--speed", 500) as second:
        house.wait_for_minute(second, killed_ms + 15 * MINUTE_MS)
        assert "where it stopped" in second.out.read_text()
        executor = chosen_executor(None, house.folder / "tmp")
        assert executor.ask("halt", "a test")["action"] == "halt"
        assert executor.ask("state", None)["halted_because"] == "halted by local: a test"
        served = environments_with(f"ALPHASTOCKS_RUNTIME__PORT={house.ports['executor']}")
        assert served or sys.platform != "linux"
        assert not any(executor.token.encode() in one for one in served)
        assert second.end() == 0, second.last_words
    assert not second.has_left_something
    compared_ms = house.last_minute() - 6 * MINUTE_MS  # later ones may still be revised
    assert stored(house, compared_ms) == uninterrupted(compared_ms)
