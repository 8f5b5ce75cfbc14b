"""How a command finds the servers of a running `up --kafka`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from libs.runtime.settings import SettingsError
from services.local.commands import running_kafka
from services.local.commands.running_kafka import cluster_settings
from services.local.control_file import LOCK
from services.local.own_control import own_control
from services.local.play.running_servers import FILE, RunningServers, announced, running_servers
from services.local.settings import LocalSettings

SERVERS = RunningServers("127.0.0.1:41234", "127.0.0.1:41235/up")


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """Let an `up --kafka` run on a folder."""
    with own_control(LocalSettings(), folder), announced(folder, SERVERS):
        yield


def test_they_are_found_as_long_as_it_runs(tmp_path: Path) -> None:
    with running(tmp_path):
        assert running_servers((tmp_path, tmp_path / "other")) == {tmp_path: SERVERS}
    assert running_servers((tmp_path,)) == {}
    assert {file.name for file in tmp_path.iterdir()} == {LOCK}


def test_the_file_of_one_that_was_killed_counts_no_more(tmp_path: Path) -> None:
    with running(tmp_path):
        left = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(left)
    assert running_servers((tmp_path,)) == {}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1}'])
def test_a_file_that_is_none_of_ours_is_passed_over(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    assert running_servers((tmp_path,)) == {}


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The usual state folders."""
    usual = (tmp_path / "up-kafka", tmp_path / "kite-kafka")
    for folder in usual:
        folder.mkdir()
    monkeypatch.setattr(running_kafka, "FOLDERS", usual)
    monkeypatch.chdir(tmp_path)
    return usual


def test_a_command_asks_the_kafka_that_runs(folders: tuple[Path, Path]) -> None:
    assert cluster_settings(None, None).bus.kind == "local"
    with running(folders[0]):
        bus = cluster_settings(None, None).bus
    assert (bus.kind, bus.bootstrap) == ("kafka", SERVERS.kafka)


def test_one_that_the_settings_name_counts_more_and_a_folder_that_is_given_most(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALPHASTOCKS_BUS__KIND", "kafka")
    monkeypatch.setenv("ALPHASTOCKS_BUS__BOOTSTRAP", "elsewhere:9092")
    with running(folders[0]):
        assert cluster_settings(None, None).bus.bootstrap == "elsewhere:9092"
        assert cluster_settings(None, folders[0]).bus.bootstrap == SERVERS.kafka


def test_where_two_run_one_must_be_named_and_where_none_runs_it_is_said(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    with running(folders[0]), running(folders[1]):
        with pytest.raises(SettingsError, match=r"runs on .*up-kafka and .*kite-kafka: name one"):
            cluster_settings(None, None)
        assert cluster_settings(None, folders[1]).bus.bootstrap == SERVERS.kafka
    with pytest.raises(SettingsError, match="--var: no `alphastocks up --kafka` runs on"):
        cluster_settings(None, tmp_path)
