"""A `docker` for the PATH that runs nothing: it lists what a test says, and writes down its orders.

As a program it answers `ps`, `info`, `inspect`, and `compose -p PROJECT ... VERB`. What it knows is
in `facts.json` in its own folder: each container with its project, service, state and health.
"""

import json
import os
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SIX = ("ingest", "candle", "strategy", "signal", "executor", "position")
JOBS = ("secrets", "topics", "tables")


@dataclass
class FakeDocker:
    """The folder of a fake `docker`, and what it lists."""

    folder: Path
    containers: list[dict[str, str]] = field(default_factory=list)
    fails: dict[str, int] = field(default_factory=dict)
    ignores: list[str] = field(default_factory=list)

    def runs(self, project: str, **states: str) -> None:
        """Let a project be there: six services and the jobs, running unless `states` says else."""
        for service in (*SIX, "kafka", "grafana", *JOBS):
            state = states.get(service, "exited" if service in JOBS else "running")
            if state != "absent":
                one = {"project": project, "service": service, "state": state, "said": ""}
                self.containers.append(one)

    def says(self, service: str, answer: dict[str, Any]) -> None:
        """Let the health check of a service have printed this."""
        for one in self.containers:
            if one["service"] == service:
                one["said"] = json.dumps(answer)

    def install(self) -> dict[str, str]:
        """Write it; return the variables that put it on the PATH."""
        self.folder.mkdir(exist_ok=True)
        facts = {"containers": self.containers, "fails": self.fails, "ignores": self.ignores}
        (self.folder / "facts.json").write_text(json.dumps(facts))
        program = self.folder / "docker"
        program.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
            "from tests.deploy.fake_docker import main\nsys.exit(main(sys.argv[1:]))\n"
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return {"PATH": f"{self.folder}:{os.environ['PATH']}"}

    @property
    def told(self) -> list[str]:
        """What compose was told, a line each, without the options that name the project."""
        log = self.folder / "told"
        return log.read_text().splitlines() if log.exists() else []

    def state_of(self, project: str, service: str) -> str:
        """Return the state of a container after what was done."""
        for one in json.loads((self.folder / "facts.json").read_text())["containers"]:
            if (one["project"], one["service"]) == (project, service):
                return str(one["state"])
        return "absent"


def main(arguments: list[str]) -> int:
    """Answer as docker does."""
    folder = Path(sys.argv[0]).parent
    facts = json.loads((folder / "facts.json").read_text())
    if arguments[0] == "compose":
        status = _compose(facts, folder, arguments[1:])
        (folder / "facts.json").write_text(json.dumps(facts))
        return status
    if answer := _answer(facts, arguments):
        print(answer)  # noqa: T201  its output is what is asked for
    return 0


def _answer(facts: dict[str, Any], arguments: list[str]) -> str:
    containers = facts["containers"]
    if arguments[0] == "info":
        return "/nowhere"
    if arguments[0] == "ps":
        rows = [(one["project"], one["service"], one["state"], _name(one)) for one in containers]
        return "\n".join(map("\t".join, rows))
    named = [one for one in containers if _name(one) in arguments]
    checks = ({"Log": [{"Output": one["said"]}]} if one["said"] else None for one in named)
    return "\n".join(
        f"{one['service']}\t{json.dumps(health)}" for one, health in zip(named, checks, strict=True)
    )


def _name(one: dict[str, str]) -> str:
    return f"{one['project']}-{one['service']}-1"


def _compose(facts: dict[str, Any], folder: Path, arguments: list[str]) -> int:
    project = arguments[arguments.index("-p") + 1]
    is_live = "--env-file" in arguments
    verb, *rest = arguments[arguments.index("-f") + 2 :]
    with (folder / "told").open("a") as log:
        log.write(f"{project}{' (live.env)' if is_live else ''}: {' '.join((verb, *rest))}\n")
    if verb not in facts["ignores"]:
        after = {"stop": "exited", "start": "running", "restart": "running", "up": "running"}
        for one in facts["containers"]:
            if one["project"] == project and one["service"] in rest and verb in after:
                one["state"] = after[verb]
    return int(facts["fails"].get(verb, 0))
