import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from libs.runtime.listening import check_port, holder_of, listening
from libs.runtime.settings import SettingsError

LISTENER = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"  # fmt: skip  # noqa: E501


def test_a_taken_port_names_the_process_its_command_and_what_to_set() -> None:
    command = [sys.executable, "-c", LISTENER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        port = int(child.stdout.readline())
        with pytest.raises(SettingsError) as refused:
            listening("127.0.0.1", port, "runtime.port")
        child.communicate(b"\n")
    line = str(refused.value)
    assert line.startswith(f"runtime.port: no listening on 127.0.0.1:{port}: ")
    assert f"process {child.pid} ({sys.executable} -c import socket" in line
    assert line.endswith("end that, or set ALPHASTOCKS_RUNTIME__PORT to another port")


def test_a_holder_that_cannot_be_known_is_another_program(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert holder_of(port).startswith(f"process {os.getpid()} (")
        assert holder_of(port, tmp_path) == ""
    assert holder_of(port) == ""


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(SettingsError, match=r"^simulator\.port: no listening on 192\.0\.2\.1:0: "):
        check_port("192.0.2.1", 0, "simulator.port")


def test_a_checked_port_is_free_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
    check_port("127.0.0.1", port, "runtime.port")
    listening("127.0.0.1", port, "runtime.port").close()
