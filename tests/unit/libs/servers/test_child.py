import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from libs.servers.child import Child, Kind
from libs.servers.folder import FolderLock

RUNNING = "exec cat /dev/zero > /dev/null"
STUBBORN = f"trap '' TERM; echo $$; {RUNNING}"
PARENT = """
import sys
from pathlib import Path
from tests.unit.libs.servers.test_child import KIND
from libs.servers.child import Child
folder = Path(sys.argv[1])
child = Child(KIND, folder, folder / "log")
with child.held():
    child.start(["/bin/sh", "-c", "echo up; exec cat /dev/zero > /dev/null"])
    child.wait((folder / "log").read_text, 10)
    print(child.pid, flush=True)
    input()
"""


class Failed(Exception):
    pass


class Busy(Exception):
    pass


KIND = Kind("The server", Failed, Busy, lambda said: said[-1], stop_seconds=0.2)


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    child = Child(KIND, tmp_path, tmp_path / "log")
    yield child
    child.kill()


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def start(child: Child, script: str, answers: Callable[[], bool] = lambda: False) -> None:
    with child.held():
        child.start(shell(script))
        child.wait(answers, 10)


def assert_free(folder: Path) -> None:
    lock = FolderLock(folder, Busy)
    lock.take()
    lock.release()


def has_said(folder: Path, words: str) -> bool:
    return words in (folder / "log").read_text()


def assert_gone(pid: int) -> None:
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_child_runs_in_its_folder_with_our_variables_and_those_given(
    child: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "1")
    with child.held():
        child.start(
            shell("echo $(pwd) $OURS $GIVEN; exec cat /dev/zero >/dev/null"), {"GIVEN": "2"}
        )
        child.wait(lambda: has_said(tmp_path, f"{tmp_path} 1 2\n"), 10)


def test_a_child_gets_none_of_our_settings(
    child: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALPHASTOCKS_CONTROL_TOKEN", "marked")
    monkeypatch.setenv("ALPHASTOCKS_KITE__API_SECRET", "marked")
    start(child, f"env; echo all; {RUNNING}", lambda: has_said(tmp_path, "all\n"))
    assert not has_said(tmp_path, "marked")
    assert has_said(tmp_path, "PATH=")


def test_a_child_that_ends_is_reported_with_its_status_its_log_and_its_reason(
    child: Child, tmp_path: Path
) -> None:
    reason = r"^The server ended with status 3: .*/log: the disk is full$"
    with pytest.raises(Failed, match=reason):
        start(child, "echo 'the disk is full'; exit 3")
    assert_free(tmp_path)


def test_the_reason_of_a_run_before_is_not_given_again(child: Child) -> None:
    with pytest.raises(Failed, match=r": old$"):
        start(child, "echo old; exit 1")
    with pytest.raises(Failed, match=r": nothing was written$"):
        start(child, "exit 1")


def test_a_child_that_does_not_answer_in_time_and_ignores_the_request_to_end_is_killed(
    child: Child, tmp_path: Path
) -> None:
    def start_in_vain() -> None:
        with child.held():
            child.start(shell(STUBBORN))
            child.wait(lambda: has_said(tmp_path, "\n"), 10)
            child.wait(lambda: False, 0)

    with pytest.raises(Failed, match=r"no answer in 0 s: .*/log: \d+$"):
        start_in_vain()
    assert_gone(int((tmp_path / "log").read_text()))
    assert_free(tmp_path)


def test_a_child_that_runs_is_not_started_again(child: Child, tmp_path: Path) -> None:
    with child.held():
        child.start(shell(RUNNING))
    with pytest.raises(Busy, match="runs already"), child.held():
        pass
    pid = child.pid
    child.stop()
    assert_gone(pid)
    assert_free(tmp_path)


def test_a_child_that_was_killed_can_be_started_again(child: Child, tmp_path: Path) -> None:
    for words in ("first", "second"):
        start(child, f"echo {words}; {RUNNING}", partial(has_said, tmp_path, words))
        child.kill()
    assert_free(tmp_path)


def test_what_does_not_run_has_no_process_and_may_be_stopped(child: Child) -> None:
    child.stop()
    child.kill()
    with pytest.raises(Failed, match="is not running"):
        _ = child.pid


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's promise is Linux's")
def test_a_child_does_not_outlive_its_killed_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        descriptor = os.pidfd_open(pid)
        parent.kill()
    assert select.select([descriptor], [], [], 10)[0], "it lives"
    os.close(descriptor)
    assert_free(tmp_path)
