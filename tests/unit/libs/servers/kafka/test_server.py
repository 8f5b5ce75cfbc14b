import os
import stat
import subprocess
from pathlib import Path

import pytest

from libs.servers.kafka import server as kafka_server
from libs.servers.kafka.config import Security
from libs.servers.kafka.errors import KafkaFailed, KafkaFolderBusy
from libs.servers.kafka.jars import JARS_VARIABLE
from libs.servers.kafka.lock import FolderLock
from libs.servers.kafka.server import LocalKafka
from tests.unit.libs.servers.kafka.programs import Programs

FORMATTED = 'case "$*" in *StorageTool*) exit 0;; esac'


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalKafka:
    (tmp_path / "kafka_2.13-4.jar").touch()
    monkeypatch.setenv(JARS_VARIABLE, str(tmp_path))
    return LocalKafka(tmp_path / "kafka", tmp_path / "jars", Security("SASL_PLAINTEXT"))


def assert_free(folder: Path) -> None:
    lock = FolderLock(folder)
    lock.take()
    lock.release()


def test_a_server_that_does_not_start_is_reported_with_its_log_and_its_reason(
    programs: Programs, server: LocalKafka
) -> None:
    reason = "org.apache.kafka.common.KafkaException: the port is taken"
    programs.write_java(f"{FORMATTED}\necho up\necho '{reason}'\necho ' at kafka.Kafka'\nexit 3")
    with pytest.raises(KafkaFailed, match=r"status 3: .*server.log: .*: the port is taken$"):
        server.start()
    assert_free(server.log.parent)


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
    with pytest.raises(KafkaFailed, match=r"storage was not made: .*: the disk is full$"):
        server.start()


def test_a_server_that_never_answers_and_ignores_the_request_to_end_is_killed(
    programs: Programs, server: LocalKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.write_java(f"{FORMATTED}\ntrap '' TERM; echo up; while :; do sleep 0.1; done")
    monkeypatch.setattr(kafka_server, "START_SECONDS", 0.5)
    monkeypatch.setattr(kafka_server, "STOP_SECONDS", 0.2)
    with pytest.raises(KafkaFailed, match=r"no answer in 0 s: .*: up$"):
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


def test_a_locked_folder_is_refused_with_the_folder_and_the_process(tmp_path: Path) -> None:
    holder, other = FolderLock(tmp_path), FolderLock(tmp_path)
    holder.take()
    with pytest.raises(KafkaFolderBusy, match=f"{tmp_path} is in use by process {os.getpid()}"):
        other.take()
    holder.release()
    assert_free(tmp_path)


def test_a_child_that_inherits_the_lock_holds_it_as_well(tmp_path: Path) -> None:
    holder = FolderLock(tmp_path)
    holder.take()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(holder.descriptor,)) as child:
        holder.release()
        with pytest.raises(KafkaFolderBusy):
            FolderLock(tmp_path).take()
        child.communicate()
    assert_free(tmp_path)
