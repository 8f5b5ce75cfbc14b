"""The compose file at work, under a name of its own and on free ports."""

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from tests.integration.processes import free_ports

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "deploy" / "docker-compose.yml"
IMAGES = (
    *re.findall(r"(?m)^FROM (\S+)$", (ROOT / "deploy" / "Dockerfile").read_text()),
    *re.findall(r"(?m)^    image: (\S+)$", COMPOSE_FILE.read_text()),
)
"""Those that are not ours."""
START_SECONDS, TIMEOUT_SECONDS = 600, 180


def why_not() -> str:
    """Return why the stack cannot run here, nothing if it can."""
    if shutil.which("docker") is None:
        return "there is no docker command here"
    if _fails("docker", "info"):
        return "no Docker engine answers"
    if _fails("docker", "compose", "version"):
        return "docker has no compose here"
    for image in IMAGES:
        if _fails("docker", "image", "inspect", image) and _fails("docker", "pull", "-q", image):
            return f"the image {image} is not here and cannot be pulled"
    return ""


def _fails(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode != 0


@dataclass
class Stack:
    """A project of `docker compose`; `speed` is that of its market."""

    speed: int = 40
    name: str = field(default_factory=lambda: f"alphastocks-{uuid4().hex[:6]}")
    first_port: int = field(default_factory=lambda: free_ports(4))

    def up(self) -> str:
        """Build and start everything as the README says, and return what was said."""
        done = self.make("up", seconds=START_SECONDS)
        if done.returncode:
            raise AssertionError(f"up: {done.stdout}{done.stderr}")
        return done.stderr

    def make(
        self, *words: str, seconds: float = START_SECONDS, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run make as an operator does, on this stack alone."""
        return subprocess.run(
            ["make", "--no-print-directory", *words],
            cwd=ROOT,
            env={**os.environ, **self.variables, "COMPOSE_PROJECT_NAME": self.name, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def compose(self, *arguments: str, stdin: str = "", seconds: float = START_SECONDS) -> str:
        command = (*self.docker_compose, "-p", self.project, "-f", str(COMPOSE_FILE), *arguments)
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            env={**os.environ, **self.variables},
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"{' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    @property
    def project(self) -> str:
        """Its name for docker compose."""
        return self.name

    @property
    def docker_compose(self) -> tuple[str, ...]:
        return ("docker", "compose")

    @property
    def variables(self) -> dict[str, str]:
        names = ("CLICKHOUSE_PORT", "EXECUTOR_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")
        ports = {name: str(self.first_port + number) for number, name in enumerate(names)}
        return {**ports, "SIMULATOR_SPEED": str(self.speed)}

    def ledger(self) -> dict[str, Any]:
        """Return what is on the topics, in the tables and in the broker's books."""
        script = (Path(__file__).parent / "ledger.py").read_text()
        run = ("run", "--rm", "-T", "--entrypoint", "python", "cli", "-")
        found: dict[str, Any] = json.loads(self.compose(*run, stdin=script))
        return found

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Ask Prometheus."""
        port = self.variables["PROMETHEUS_PORT"]
        url = f"http://127.0.0.1:{port}/api/v1/query?query={quote(expression)}"
        with urllib.request.urlopen(url, timeout=10) as reply:
            result: list[dict[str, Any]] = json.load(reply)["data"]["result"]
            return result

    def market(self, command: str) -> dict[str, Any]:
        """Ask the simulator from its own machine: state, pause, resume."""
        method = "GET" if command == "state" else "POST"
        code = (
            "import urllib.request as u; print(u.urlopen(u.Request("
            f"'http://127.0.0.1:8200/control/{command}', method='{method}')).read().decode())"
        )
        answer = json.loads(self.compose("exec", "-T", "simulator", "python", "-c", code))
        data = answer["data"]
        return data if isinstance(data, dict) else {}

    def states(self) -> dict[str, dict[str, Any]]:
        """Return each container by its service, those that have ended too."""
        lines = self.compose("ps", "-a", "--format", "json").splitlines()
        return {one["Service"]: one for one in map(json.loads, lines)}

    def down(self, *arguments: str) -> None:
        self.compose("down", *arguments)


class LiveStack(Stack):
    """The stack that follows a real account, of nobody."""

    @property
    def project(self) -> str:
        return f"{self.name}-live"

    @property
    def docker_compose(self) -> tuple[str, ...]:
        return ("docker", "compose", "--env-file", str(COMPOSE_FILE.parent / "live.env"))

    @property
    def variables(self) -> dict[str, str]:
        return {**super().variables, "KITE_API_KEY": "of-nobody"}


def eventually(
    look: Callable[[], Any],
    holds: Callable[[Any], bool],
    seconds: float = TIMEOUT_SECONDS,
) -> Any:
    """Look until it holds, and return what was seen; fail with the last of it."""
    deadline = time.monotonic() + seconds
    while not holds(seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still not so after {seconds:g} s: {seen}")
        time.sleep(1)
    return seen


@contextmanager
def running_stack() -> Iterator[Stack]:
    """Yield a stack that is up; it is taken down with its volumes."""
    stack = Stack()
    try:
        stack.up()
        yield stack
    finally:
        stack.down("-v", "--remove-orphans")
