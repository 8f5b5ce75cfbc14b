"""`alphastocks up --kafka`: the same as processes, on servers that it starts and ends."""

import asyncio
import signal

import pytest

from libs.servers.kafka.jars import JARS_VARIABLE, kafka_version
from tests.integration.houses import MINUTE_MS, House, stored, uninterrupted
from tests.servers import JARS, TestKafka


@pytest.fixture(autouse=True)
def _jars(monkeypatch: pytest.MonkeyPatch, test_kafka: TestKafka) -> None:
    """Let `up` find the jars that the tests' own server has fetched, if that is what they use."""
    fetched = (JARS / f"kafka-{kafka_version()}").absolute()
    if test_kafka.server is not None:
        monkeypatch.setenv(JARS_VARIABLE, str(fetched))


def test_killed_or_stopped_the_processes_go_on_where_they_were(house: House) -> None:
    with house.up("--kafka", "--speed", 500) as first:
        house.wait_until_ready(first)
        house.wait_for_minute(first, house.first_minute() + 5 * MINUTE_MS)
        first.end(signal.SIGKILL)
    killed_ms = house.last_minute()
    with house.up("--kafka", "--speed", 500) as second:
        house.wait_for_minute(second, killed_ms + 15 * MINUTE_MS)
        assert "where it stopped" in second.out.read_text()
        assert second.end() == 0, second.last_words
    assert not second.has_left_something
    compared_ms = house.last_minute() - 6 * MINUTE_MS  # later ones may still be revised
    assert stored(house, compared_ms) == asyncio.run(uninterrupted(compared_ms))
