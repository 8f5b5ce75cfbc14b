import stat
from pathlib import Path

import pytest

from libs.servers.kafka import server as kafka_server
from libs.servers.kafka.config import Security
from libs.servers.kafka.errors import KafkaFailed
from libs.servers.kafka.jars import JARS_VARIABLE
from libs.servers.kafka.server import LocalKafka
from tests.unit.libs.servers.kafka.programs import Programs

FORMATTED = 'case "$*" in *StorageTool*) exit 0;; esac'


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalKafka:
    (tmp_path / "kafka_2.13-4.jar").touch()
    monkeypatch.setenv(JARS_VARIABLE, str(tmp_path))
    return LocalKafka(tmp_path / "kafka", tmp_path / "jars", Security("SASL_PLAINTEXT"))


def test_a_server_that_does_not_start_is_reported_with_its_log_and_its_reason(
    programs: Programs, server: LocalKafka
) -> None:
    reason = "org.apache.kafka.common.KafkaException: the port is taken"
    programs.write_java(f"{FORMATTED}\necho up\necho '{reason}'\necho ' at kafka.Kafka'\nexit 3")
    with pytest.raises(KafkaFailed, match=r"status 3: .*server.log: .*: the port is taken$"):
        server.start()


def test_the_reason_of_a_run_before_is_not_given_again(
    programs: Programs, server: LocalKafka
) -> None:
    programs.write_java(f"{FORMATTED}\necho 'KafkaException: the port is taken'; exit 3")
    with pytest.raises(KafkaFailed, match="the port is taken"):
        server.start()
    programs.write_java(f"{FORMATTED}\nexit 3")
    with pytest.raises(KafkaFailed, match="nothing was written"):
        server.start()


def test_storage_that_cannot_be_made_is_reported(programs: Programs, server: LocalKafka) -> None:
    programs.write_java("echo 'IOException: the disk is full'; exit 1")
    with pytest.raises(KafkaFailed, match=r"storage could not be formatted: .*: the disk is full$"):
        server.start()


def test_a_server_that_never_answers_is_reported(
    programs: Programs, server: LocalKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.write_java(f"{FORMATTED}\necho up; exec cat /dev/zero > /dev/null")
    monkeypatch.setattr(kafka_server, "START_SECONDS", 0.5)
    with pytest.raises(KafkaFailed, match=r"no answer in 0 s: .*server.log: "):
        server.start()


def test_files_that_hold_the_password_are_private(programs: Programs, server: LocalKafka) -> None:
    programs.write_java(f"{FORMATTED}\nexit 3")
    with pytest.raises(KafkaFailed):
        server.start()
    mode = (server.log.parent / "server.properties").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_a_server_that_does_not_run_has_a_place_but_no_process(server: LocalKafka) -> None:
    assert server.address.bootstrap == server.bootstrap
    with pytest.raises(KafkaFailed, match="is not running"):
        _ = server.pid


def test_a_server_that_does_not_run_may_be_stopped_and_killed(server: LocalKafka) -> None:
    server.stop()
    server.kill()
