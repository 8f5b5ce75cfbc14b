import hashlib
import os
import stat
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from libs.servers.clickhouse import server as local_server
from libs.servers.clickhouse.server import (
    LocalServer,
    find_program,
    render_config,
    render_users,
)
from libs.store.errors import ServerFailed, ServerMissing


def write_program(folder: Path, script: str) -> Path:
    program = folder / "clickhouse"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    return program


def test_the_config_listens_on_this_machine_only_and_keeps_no_log_tables() -> None:
    root = ElementTree.fromstring(render_config(Path("/a & b"), 9001, 9002, 10**9))
    assert [place.text for place in root.findall("listen_host")] == ["127.0.0.1"]
    assert root.findtext("tcp_port") == "9001"
    assert root.findtext("http_port") == "9002"
    assert root.findtext("max_server_memory_usage") == "1000000000"
    assert root.findtext("path") == "/a & b/data/"
    assert not [child.tag for child in root if child.tag.endswith("_log")]


def test_the_users_file_holds_a_digest_and_not_the_password() -> None:
    text = render_users("secret")
    user = ElementTree.fromstring(text).find("users/alphastocks")
    assert "secret" not in text
    assert user is not None
    assert user.findtext("password_sha256_hex") == hashlib.sha256(b"secret").hexdigest()
    assert user.findtext("networks/ip") == "127.0.0.1"


def test_a_binary_on_the_path_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = write_program(tmp_path, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert find_program() == program


def test_without_binary_and_wheel_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(ServerMissing, match="make setup"):
        find_program()


def test_a_server_that_does_not_start_is_reported_with_its_log_and_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(tmp_path, "echo 'DB::Exception: the disk is full'; echo bye; exit 3")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    folder = tmp_path / "store"
    with pytest.raises(ServerFailed, match=r"status 3: .*server.log: .*the disk is full"):
        LocalServer(folder).__enter__()


def test_a_server_that_never_answers_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(tmp_path, "exec cat /dev/zero > /dev/null")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(local_server, "START_SECONDS", 0.5)
    with pytest.raises(ServerFailed, match=r"no answer in 0 s: .*server.log: nothing was written"):
        LocalServer(tmp_path / "store").__enter__()


def test_files_that_name_the_user_are_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(tmp_path, "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(ServerFailed):
        LocalServer(tmp_path / "store").__enter__()
    modes = [(tmp_path / "store" / name).stat().st_mode for name in ("users.xml", "config.xml")]
    assert [stat.S_IMODE(mode) for mode in modes] == [0o600, 0o600]


def test_the_address_of_a_server_that_does_not_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match="is not running"):
        _ = LocalServer(tmp_path).address
