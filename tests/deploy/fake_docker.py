"""A `docker` for the PATH that runs nothing: it lists what a test says, and writes down its orders.

What it knows is in `facts.json` in its own folder: each container with its project, service, state
and health. The program is `docker_program.py`.
"""

import json
import os
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).parent / "docker_program.py"
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
                one = {
                    "project": project,
                    "service": service,
                    "state": state,
                    "said": "",
                    "words": "",
                }
                self.containers.append(one)

    def says(self, service: str, answer: dict[str, Any]) -> None:
        """Let the health check of a service have printed this."""
        for one in self.containers:
            if one["service"] == service:
                one["said"] = json.dumps(answer)

    def failed(self, service: str, words: str, state: str = "exited") -> None:
        """Let the container of a service have ended with status 2 after these words."""
        for one in self.containers:
            if one["service"] == service:
                one.update(state=state, words=words)

    def install(self) -> dict[str, str]:
        """Write it; return the variables that put it on the PATH."""
        self.folder.mkdir(exist_ok=True)
        facts = {"containers": self.containers, "fails": self.fails, "ignores": self.ignores}
        (self.folder / "facts.json").write_text(json.dumps(facts))
        program = self.folder / "docker"
        program.write_text(f"#!{sys.executable} -SE\n{PROGRAM.read_text()}")
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
