"""`make halt` and the like, with a docker that is not there: what is found, told, and refused."""

import io
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest

from deploy.stack.__main__ import VERBS, main
from tests.deploy.fake_docker import ROOT, FakeDocker

SIMULATOR, LIVE = "alphastocks", "alphastocks-live"
NAMES = {SIMULATOR: "alphastocks (simulator)", LIVE: "alphastocks-live (live)"}
ENV = {SIMULATOR: "", LIVE: " (live.env)"}
STACKS = pytest.mark.parametrize("project", [SIMULATOR, LIVE])


@pytest.fixture
def docker(tmp_path: Path) -> FakeDocker:
    return FakeDocker(tmp_path / "bin")


@dataclass
class Done:
    """How a verb ended, and what it said."""

    returncode: int
    stderr: str


def make(docker: FakeDocker, *words: str, **variables: str) -> Done:
    """Do what make does with these words, in this process; `test_make_...` below sees to make."""
    given = dict(word.split("=", 1) for word in words if "=" in word)
    arguments = [words[0], *given.pop("ARGS", "").split()]
    said = io.StringIO()
    env = {**clean_environment(), **docker.install(), **given, **variables}
    with redirect_stderr(said), patch.dict(os.environ, env, clear=True):
        status = main(arguments)
    return Done(status, said.getvalue().rstrip())


def clean_environment() -> dict[str, str]:
    """Return the variables of this process that do not concern the stack."""
    ours = ("KITE", "MAKE", "COMPOSE", "LIVE", "REASON", "ARGS")
    return {name: text for name, text in os.environ.items() if not name.startswith(ours)}


def run(
    command: list[str], docker: FakeDocker, variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command with the docker that is not there."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**clean_environment(), **docker.install(), **variables},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_make_has_a_target_for_each_verb_that_passes_words_on(
    docker: FakeDocker, verb: str
) -> None:
    shown = run(["make", "--dry-run", verb, "ARGS=one --two"], docker, {})
    assert shown.returncode == 0, shown.stderr
    expected = f"python3 -m deploy.stack {verb}" + ("" if verb == "password" else " one --two")
    assert shown.stdout.strip() == expected


def test_make_passes_the_reason_with_its_spaces_and_fails_as_the_verb_fails(
    docker: FakeDocker,
) -> None:
    docker.runs(LIVE)
    assert run(["make", "halt", "REASON=it's news"], docker, {}).returncode == 0
    assert docker.told == [f"{LIVE} (live.env): run --rm --no-deps -T cli halt --reason it's news"]
    assert run(["make", "halt", "LIVE=0"], docker, {}).returncode != 0


@STACKS
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("state",), "run --rm --no-deps -T cli state"),
        (("halt", "REASON=news at noon"), "run --rm --no-deps -T cli halt --reason news at noon"),
        (("resume",), "run --rm --no-deps -T cli resume"),
        (("exit", "ARGS=--yes"), "run --rm --no-deps -T cli exit --yes"),
        (("mode", "ARGS=logging_only"), "run --rm --no-deps -T cli mode logging_only"),
        (("lag",), "run --rm --no-deps -T cli lag"),
        (("tail", "ARGS=orders"), "run --rm --no-deps -T cli tail orders"),
        (("dlq", "ARGS=list"), "run --rm --no-deps -T cli dlq list"),
        (("cli", "ARGS=topics"), "run --rm --no-deps -T cli topics"),
        (("stop", "ARGS=executor"), "stop executor"),
        (("restart", "ARGS=ingest"), "restart --no-deps ingest"),
        (("logs", "ARGS=executor"), "logs --follow --tail 20 executor"),
        (("ps",), "ps --all"),
        (("down",), "down"),
    ],
)
def test_a_verb_finds_the_stack_that_runs_names_it_and_acts_on_it(
    docker: FakeDocker, project: str, words: tuple[str, ...], told: str
) -> None:
    docker.runs(project)
    done = make(docker, *words)
    assert done.returncode == 0, done.stderr
    assert docker.told == [f"{project}{ENV[project]}: {told}"]
    assert done.stderr.startswith(NAMES[project])


@pytest.mark.parametrize(
    "words",
    [
        *(("state",), ("halt",), ("resume",), ("exit", "ARGS=--yes"), ("stop", "ARGS=executor")),
        *(("start",), ("restart", "ARGS=ingest"), ("logs",), ("ps",), ("down",), ("lag",)),
        *(("login",), ("password",), ("rotate", "ARGS=store"), ("mode", "ARGS=paper")),
    ],
)
def test_without_a_stack_every_verb_fails_with_one_line_that_says_what_to_do(
    docker: FakeDocker, words: tuple[str, ...]
) -> None:
    done = make(docker, *words)
    assert done.returncode != 0
    assert done.stderr.startswith(f"{words[0]}: nothing was done: no stack ")
    assert "`make up` starts the simulator, `make up LIVE=1` the live stack" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert docker.told == []


def test_two_stacks_are_told_apart_by_name_and_one_can_be_chosen(docker: FakeDocker) -> None:
    docker.runs(SIMULATOR)
    docker.runs(LIVE)
    refused = make(docker, "halt")
    assert refused.returncode != 0
    assert all(name in refused.stderr for name in NAMES.values())
    assert docker.told == []
    assert make(docker, "halt", "LIVE=1").returncode == 0
    assert make(docker, "down", "LIVE=0").returncode == 0
    assert [line.partition(" ")[0] for line in docker.told] == [LIVE, f"{SIMULATOR}:"]


def test_the_stack_that_was_asked_for_and_does_not_run_is_not_replaced_by_the_other(
    docker: FakeDocker,
) -> None:
    docker.runs(SIMULATOR)
    done = make(docker, "halt", "LIVE=1")
    assert done.returncode != 0
    assert "no stack alphastocks-live runs" in done.stderr
    assert NAMES[SIMULATOR] in done.stderr
    assert docker.told == []


@pytest.mark.parametrize(("running", "words"), [(LIVE, ("up",)), (SIMULATOR, ("up", "LIVE=1"))])
def test_a_second_stack_is_refused_by_name_before_anything_is_built(
    docker: FakeDocker, running: str, words: tuple[str, ...]
) -> None:
    docker.runs(running)
    done = make(docker, *words)
    assert done.returncode != 0
    assert done.stderr.startswith(f"up: nothing was built: {NAMES[running]} runs")
    assert docker.told == []


def test_a_live_start_without_a_key_is_refused_with_one_line_before_anything_is_built(
    docker: FakeDocker,
) -> None:
    done = run([sys.executable, "-m", "deploy.stack", "up"], docker, {"LIVE": "1"})
    assert done.returncode != 0
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("API key")]
    assert "failed" in row
    assert "export KITE_API_KEY=" in row
    assert done.stderr.startswith("up: nothing was built: alphastocks-live (live) cannot start")
    assert len(done.stderr.splitlines()) == 1
    assert docker.told == []


def test_up_builds_waits_and_says_what_a_service_waits_for(docker: FakeDocker) -> None:
    docker.runs(SIMULATOR)
    docker.says("ingest", {"status": "ready", "waits_for": "a login at the broker (none)"})
    docker.says("strategy", {"status": "not ready", "components": {"bus": "away", "x": "ok"}})
    docker.says("candle", {"status": "ready", "components": {"candle": "ok"}})
    done = make(docker, "up")
    assert done.returncode == 0, done.stderr
    assert docker.told == [f"{SIMULATOR}: up --detach --build --wait"]
    assert "  ingest waits for a login at the broker (none)" in done.stderr
    assert "  strategy is not ready: bus: away" in done.stderr
    assert "candle" not in done.stderr


def test_a_stack_that_does_not_become_healthy_says_so_and_why(docker: FakeDocker) -> None:
    docker.runs(SIMULATOR)
    docker.says("candle", {"status": "not ready", "components": {"candle": "no topic"}})
    docker.fails["up"] = 1
    done = make(docker, "up")
    assert done.returncode != 0
    assert "  candle is not ready: candle: no topic" in done.stderr
    assert "up: alphastocks (simulator) is not up: `make ps LIVE=0`" in done.stderr


@pytest.mark.parametrize("verb", ["up", "ps"])
@pytest.mark.parametrize(("service", "state"), [("secrets", "exited"), ("ingest", "restarting")])
def test_what_failed_or_starts_for_ever_is_shown_with_its_last_words(
    docker: FakeDocker, verb: str, service: str, state: str
) -> None:
    docker.runs(SIMULATOR)
    docker.failed(service, "alphastocks: nothing can be written", state)
    said = make(docker, verb).stderr
    assert f"  {service} failed (exit status 2): alphastocks: nothing can be written" in said
    assert said.count(" failed (exit status") == 1


@pytest.mark.parametrize("verb", ["stop", "start", "restart", "logs"])
def test_a_service_that_is_not_there_is_an_error_that_names_those_that_are(
    docker: FakeDocker, verb: str
) -> None:
    docker.runs(LIVE)
    done = make(docker, verb, "ARGS=exekutor")
    assert done.returncode != 0
    assert (
        f"nothing was done: {NAMES[LIVE]} has no exekutor; it has candle, executor" in done.stderr
    )
    assert docker.told == []


@pytest.mark.parametrize(
    ("verb", "state", "reason"),
    [("stop", "exited", "does not run"), ("start", "running", "runs already")],
)
def test_nothing_done_is_an_error(docker: FakeDocker, verb: str, state: str, reason: str) -> None:
    docker.runs(LIVE, executor=state)
    done = make(docker, verb, "ARGS=executor")
    assert done.returncode != 0
    assert "nothing was done: executor of alphastocks-live (live)" in done.stderr
    assert reason in done.stderr
    assert docker.told == []


@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_stop_and_restart_want_a_name(docker: FakeDocker, verb: str) -> None:
    docker.runs(LIVE)
    done = make(docker, verb)
    assert done.returncode != 0
    assert "nothing was done" in done.stderr
    assert docker.told == []


def test_a_stop_that_docker_ignores_is_an_error(docker: FakeDocker) -> None:
    docker.runs(LIVE)
    docker.ignores.append("stop")
    done = make(docker, "stop", "ARGS=executor")
    assert done.returncode != 0
    assert "stop: executor of alphastocks-live (live) is running" in done.stderr


def test_what_was_stopped_is_started_alone_and_without_building(docker: FakeDocker) -> None:
    docker.runs(LIVE, executor="exited", grafana="exited")
    assert make(docker, "start").returncode == 0
    begun = "up --detach --wait --no-build --no-recreate --no-deps executor grafana"
    assert docker.told == [f"{LIVE} (live.env): {begun}"]
    assert docker.state_of(LIVE, "executor") == "running"
    assert docker.state_of(LIVE, "secrets") == "exited", "a job is not run again"


def test_a_stack_that_is_stopped_whole_can_be_started_and_taken_down(docker: FakeDocker) -> None:
    docker.runs(SIMULATOR, **dict.fromkeys(("ingest", "candle", "strategy"), "exited"))
    for one in docker.containers:
        one["state"] = "exited"
    assert make(docker, "halt").returncode != 0
    assert make(docker, "start").returncode == 0
    assert make(docker, "down").returncode == 0


@pytest.mark.parametrize("state", ["exited", "absent"])
def test_a_halt_without_an_executor_says_that_no_order_is_sent(
    docker: FakeDocker, state: str
) -> None:
    docker.runs(LIVE, executor=state)
    done = make(docker, "halt")
    assert done.returncode != 0
    assert "halt: nothing was done: the executor of alphastocks-live (live) is" in done.stderr
    assert "close positions at the broker's page" in done.stderr
    assert docker.told == []


def test_a_halt_that_the_executor_does_not_take_fails(docker: FakeDocker) -> None:
    docker.runs(LIVE)
    docker.fails["run"] = 2
    done = make(docker, "halt")
    assert done.returncode != 0
    assert "halt: not confirmed in alphastocks-live (live)" in done.stderr
    assert "make stop ARGS=executor" in done.stderr


def test_a_docker_that_does_not_answer_is_one_line(docker: FakeDocker) -> None:
    docker.install()
    (docker.folder / "docker").write_text(
        "#!/bin/sh\necho 'Cannot connect to the daemon' >&2\nexit 1\n"
    )
    docker.install = lambda: {"PATH": f"{docker.folder}:{os.environ['PATH']}"}  # type: ignore[method-assign]
    done = make(docker, "halt")
    assert done.returncode != 0
    assert done.stderr == "halt: nothing was done: docker: Cannot connect to the daemon"


def test_a_login_is_for_the_live_stack_and_wants_both_keys(docker: FakeDocker) -> None:
    docker.runs(LIVE)
    assert "KITE_API_KEY is not set" in make(docker, "login").stderr
    assert "KITE_API_SECRET is not set" in make(docker, "login", KITE_API_KEY="k").stderr
    assert docker.told == []
    keys = {"KITE_API_KEY": "k", "KITE_API_SECRET": "s"}
    assert make(docker, "login", **keys).returncode == 0
    assert docker.told == [f"{LIVE} (live.env): run --rm --no-deps -T cli login"]


def test_a_simulator_needs_no_login(docker: FakeDocker) -> None:
    docker.runs(SIMULATOR)
    done = make(docker, "login")
    assert done.returncode != 0
    assert "a simulator needs no login" in done.stderr


def test_only_a_writer_is_rewound_and_its_service_starts_again_whatever_happens(
    docker: FakeDocker,
) -> None:
    docker.runs(SIMULATOR)
    assert make(docker, "rewind", "ARGS=executor").returncode != 0
    assert docker.told == []
    docker.fails["exec"] = 1
    assert make(docker, "rewind", "ARGS=position.writer.positions").returncode != 0
    verbs = [line.split()[1] for line in docker.told]
    assert verbs == ["stop", "exec", "up"]
    assert "--group position.writer.positions --all-topics --reset-offsets" in docker.told[1]
    assert docker.state_of(SIMULATOR, "position") == "running"


def test_a_secret_of_the_live_stack_is_not_rotated_without_the_key_that_its_services_need(
    docker: FakeDocker,
) -> None:
    docker.runs(LIVE)
    assert "KITE_API_KEY is not set" in make(docker, "rotate", "ARGS=operator").stderr
    assert docker.told == []
    assert make(docker, "rotate", "ARGS=operator", KITE_API_KEY="k").returncode == 0
    removed, made = docker.told
    assert removed.endswith("secrets -f /secrets/operator/token /secrets/control/executor__control")
    assert made.endswith("up --detach --wait --no-build --force-recreate secrets executor")


def test_another_name_of_the_project_is_found_by_the_variable_of_compose(
    docker: FakeDocker,
) -> None:
    docker.runs("mine-live")
    assert make(docker, "state").returncode != 0
    assert make(docker, "state", COMPOSE_PROJECT_NAME="mine").returncode == 0
    assert docker.told == ["mine-live (live.env): run --rm --no-deps -T cli state"]


@STACKS
def test_a_backup_is_written_by_its_owner_and_named_after_the_day_unless_a_name_is_given(
    docker: FakeDocker, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.stack.saving.FOLDER", tmp_path / "backups")
    docker.runs(project)
    for words, name in ((("backup", "ARGS=first"), "first"), (("backup",), r"\d{4}-\d\d-\d\d")):
        assert make(docker, *words).returncode == 0
        as_us = f"--user {os.getuid()}:{os.getgid()} --volume {tmp_path}/backups:/backups"
        told = f"run --rm --no-deps -T {as_us} cli backup /backups/"
        assert docker.told[-1].startswith(f"{project}{ENV[project]}: {told}")
        assert re.fullmatch(name, docker.told[-1].rsplit("/", 1)[1])


def test_a_backup_is_restored_only_where_no_service_runs(
    docker: FakeDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.stack.saving.FOLDER", tmp_path)
    (tmp_path / "first").mkdir()
    asked = make(docker, "restore", "ARGS=first --only tables")
    assert asked.returncode == 0, asked.stderr
    started, restored = docker.told
    assert started == f"{SIMULATOR}: up --detach --build --wait kafka clickhouse"
    assert restored.endswith("cli restore /backups/first --only tables")
    assert "`make up LIVE=0`, then `make rewind` for each table" in asked.stderr
    whole = make(docker, "restore", "ARGS=first")
    assert "compare with the broker's page" in whole.stderr
    docker.runs(SIMULATOR)
    refused = make(docker, "restore", "ARGS=first")
    assert "of alphastocks (simulator) runs: `make down LIVE=0`" in refused.stderr
    assert len(docker.told) == 4


@pytest.mark.parametrize("name", ["", "../elsewhere", "--only", "never"])
def test_a_backup_that_is_not_there_is_one_line(docker: FakeDocker, name: str) -> None:
    done = make(docker, "restore", f"ARGS={name}")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert done.stderr.startswith("restore: nothing was done: ")
    assert docker.told == []
