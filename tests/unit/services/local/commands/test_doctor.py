"""`alphastocks doctor` at work: facts of this machine, one list, an exit status."""

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from libs.broker.kite.session import KiteSession, SessionFile
from services.executor.domain.doctor.finding import Finding
from services.local.__main__ import app
from services.local.commands import doctor
from services.local.commands.executor_client import Executor
from tests.integration.processes import free_ports


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, with a key and free ports."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALPHASTOCKS_KITE__API_KEY", "k")
    monkeypatch.setenv("ALPHASTOCKS_RUNTIME__PORT", str(free_ports(6)))
    first = free_ports(4)
    for number, variable in enumerate(doctor.DOCKER_PORTS):
        monkeypatch.setenv(variable, str(first + number))


def rows(*options: str) -> tuple[int, dict[str, str]]:
    """Return the exit status and check → the rest of its row."""
    done = CliRunner().invoke(app, ["doctor", *options], env={"COLUMNS": "200"})
    lines = [line.rstrip() for line in done.output.splitlines()[1:]]
    return done.exit_code, {line[:11].strip(): line[11:].strip() for line in lines if line.strip()}


def test_all_that_a_start_needs_is_in_one_list_and_waiting_is_no_failure() -> None:
    status, found = rows()
    names = ["settings", "API key", "session", "ports", "disk", "trading day", "calendar", "clock"]
    assert list(found) == names
    assert found["session"].startswith("waits")
    assert "log in: alphastocks login" in found["session"]
    failed = [name for name, rest in found.items() if rest.startswith("failed")]
    assert (status == 1) == bool(failed)
    assert set(failed) <= {"trading day", "calendar", "disk"}, "these depend on the machine"


def test_as_json_it_is_for_other_programs() -> None:
    done = CliRunner().invoke(app, ["doctor", "--json"])
    shown = json.loads(done.output)
    assert [one["check"] for one in shown["machine"]][:2] == ["settings", "API key"]
    assert set(shown["machine"][0]) == {"check", "state", "reason", "action"}
    assert shown["executor"] == []


def examined(*states: str) -> dict[str, object]:
    lines = [
        {"check": f"line {number}", "state": state, "reason": "so it is", "action": "mend it"}
        for number, state in enumerate(states)
    ]
    return {"is_well": "failed" not in states, "lines": lines}


@pytest.mark.parametrize(("state", "fails"), [("ok", False), ("unknown", False), ("failed", True)])
def test_an_executor_that_runs_shows_its_own_lines(
    monkeypatch: pytest.MonkeyPatch, state: str, fails: bool
) -> None:
    monkeypatch.setenv("ALPHASTOCKS_CONTROL_TOKEN", "asha's")
    monkeypatch.setattr(Executor, "ask", lambda *_: examined("ok", state))
    monkeypatch.setattr(doctor, "_here", lambda *_: iter([Finding("settings", "ok", "read")]))
    done = CliRunner().invoke(app, ["doctor"], env={"COLUMNS": "200"})
    assert "The executor at http://127.0.0.1:8101" in done.output
    assert "line 1" in done.output
    assert (done.exit_code == 1) == fails


def test_an_executor_that_does_not_answer_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHASTOCKS_CONTROL_TOKEN", "asha's")
    monkeypatch.setenv("ALPHASTOCKS_CONTROL_URL", f"http://127.0.0.1:{free_ports(1)}")
    done = CliRunner().invoke(app, ["doctor", "--json"])
    (line,) = json.loads(done.output)["executor"]
    assert (line["check"], line["state"]) == ("executor", "waits")


def test_a_missing_key_is_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALPHASTOCKS_KITE__API_KEY")
    status, found = rows()
    assert status == 1
    assert found["API key"].startswith("failed")


def test_settings_that_cannot_be_read_are_named_and_the_rest_is_still_checked(
    tmp_path: Path,
) -> None:
    (tmp_path / "wrong.toml").write_text("[runtime]\nprot = 8100\n")
    status, found = rows("--config", "wrong.toml")
    assert status == 1
    assert found["settings"].startswith("failed")
    assert "runtime.prot: unknown key" in found["settings"]
    assert "disk" in found


def test_a_session_of_today_is_shown_with_its_user_but_not_its_token() -> None:
    session = KiteSession("AB1234", "k", "very-secret", datetime.now(UTC))
    SessionFile(Path("var/kite/session.json")).write(session)
    done = CliRunner().invoke(app, ["doctor"], env={"COLUMNS": "200"})
    assert "of AB1234, until" in done.output
    assert "very-secret" not in done.output


def test_a_port_that_another_program_holds_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        status, found = rows_with_port(port)
    assert status == 1
    assert f"{port} (candle) by another program" in found["ports"]


def rows_with_port(port: int) -> tuple[int, dict[str, str]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALPHASTOCKS_RUNTIME__PORT", str(port))
        return rows()


def test_what_runs_already_may_hold_its_ports() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALPHASTOCKS_RUNTIME__PORT", str(holder.getsockname()[1]))
        _, found = rows("--running")
    assert "ports" not in found


def test_servers_that_the_settings_name_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ALPHASTOCKS_STORE__HOST", "127.0.0.1")
        monkeypatch.setenv("ALPHASTOCKS_STORE__PORT", str(server.getsockname()[1]))
        monkeypatch.setenv("ALPHASTOCKS_BUS__KIND", "kafka")
        away = f"127.0.0.1:{unused.getsockname()[1]}"
        monkeypatch.setenv("ALPHASTOCKS_BUS__BOOTSTRAP", away)
        status, found = rows()
    assert found["ClickHouse"].startswith("ok")
    assert found["Kafka"].startswith("failed")
    assert f"no answer at {away}" in found["Kafka"]
    assert status == 1


def test_for_docker_the_key_is_that_of_compose_and_the_published_ports_are_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    status, found = rows("--docker")
    assert status == 1
    assert "export KITE_API_KEY=" in found["API key"]
    assert "make login" in found["session"]
    monkeypatch.setenv("KITE_API_KEY", "k")
    with socket.create_server(("127.0.0.1", 0)) as holder:
        monkeypatch.setenv("GRAFANA_PORT", str(holder.getsockname()[1]))
        _, found = rows("--docker")
    assert found["API key"].startswith("ok")
    assert "(grafana) by another program" in found["ports"]


def test_a_port_of_compose_that_is_no_number_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFANA_PORT", "three")
    done = CliRunner().invoke(app, ["doctor", "--docker"])
    assert str(done.exception) == "GRAFANA_PORT: 'three' is not a port"


def test_a_clock_behind_the_files_of_state_fails(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    late = tmp_path / "var" / "journal"
    late.touch()
    os.utime(late, (2**33, 2**33))
    status, found = rows()
    assert status == 1
    assert found["clock"].startswith("failed")
