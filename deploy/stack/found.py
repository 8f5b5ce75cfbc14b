"""Our stacks by what Docker lists, and which of them is meant."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE, LIVE_ENV = ROOT / "deploy" / "docker-compose.yml", ROOT / "deploy" / "live.env"
KINDS = ("simulator", "live")
RUNNING = ("running", "restarting", "paused")
JOBS = ("secrets", "topics", "tables")
"""They end by themselves."""


class StackError(Exception):
    """One line that says what is wrong and what to do next."""


@dataclass(frozen=True)
class Container:
    """A container of a service; `state` is Docker's: running, exited, ..."""

    state: str
    name: str

    @property
    def runs(self) -> bool:
        """Whether its process runs, or is being started again."""
        return self.state in RUNNING


@dataclass(frozen=True)
class Stack:
    """A compose project of ours, and its containers by service."""

    kind: str
    project: str
    containers: Mapping[str, Container] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Its name, as it is said in every message."""
        return f"{self.project} ({self.kind})"

    @property
    def switch(self) -> str:
        """What a `make` command needs to mean this stack."""
        return "LIVE=1" if self.kind == "live" else "LIVE=0"

    @property
    def runs(self) -> bool:
        """Whether any of its containers runs."""
        return any(one.runs for one in self.containers.values())

    @property
    def services(self) -> list[str]:
        """What goes on running, by name."""
        return sorted(name for name in self.containers if name not in JOBS)

    def compose(self, *arguments: str) -> list[str]:
        """Return the command line of docker compose for it."""
        env = ("--env-file", str(LIVE_ENV)) if self.kind == "live" else ()
        return ["docker", "compose", *env, "-p", self.project, "-f", str(COMPOSE_FILE), *arguments]


def stacks_of(listed: str, name: str) -> list[Stack]:
    """Return both stacks with their containers, of lines `project, service, state, name`.

    `name` is that of the simulator's project; the live one has `-live` behind it.
    """
    found: dict[str, dict[str, Container]] = {}
    for line in filter(None, listed.splitlines()):
        project, service, state, container = line.split("\t")
        found.setdefault(project, {})[service] = Container(state, container)
    projects = {"simulator": name, "live": f"{name}-live"}
    return [Stack(kind, project, found.get(project, {})) for kind, project in projects.items()]


def chosen(stacks: Sequence[Stack], live: str) -> list[Stack]:
    """Return the stacks that LIVE leaves: 1 the live one, 0 the simulator, else both."""
    kinds = {"1": ("live",), "0": ("simulator",), "": KINDS}.get(live)
    if kinds is None:
        raise StackError(f"LIVE={live}: write LIVE=1 for the live stack, LIVE=0 for the simulator")
    return [stack for stack in stacks if stack.kind in kinds]


def the_one(stacks: Sequence[Stack], live: str, is_it: Callable[[Stack], bool]) -> Stack:
    """Return the only stack that is it; StackError where there is none or more than one."""
    candidates = [stack for stack in chosen(stacks, live) if is_it(stack)]
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        names = " and ".join(stack.title for stack in candidates)
        raise StackError(f"two stacks: {names}: say which: LIVE=1 or LIVE=0 (make halt LIVE=1)")
    others = [stack.title for stack in stacks if stack.runs]
    seen = f"; what runs is {', '.join(others)}" if others else ""
    wanted = " or ".join(stack.project for stack in chosen(stacks, live))
    raise StackError(
        f"nothing was done: no stack {wanted} runs on this machine{seen}. `make up` starts the "
        "simulator, `make up LIVE=1` the live stack; `docker context show` says which machine"
    )


def running_one(stacks: Sequence[Stack], live: str) -> Stack:
    """Return the stack that runs."""
    return the_one(stacks, live, lambda stack: stack.runs)


def present_one(stacks: Sequence[Stack], live: str) -> Stack:
    """Return the stack that runs, or else the one whose containers are there, stopped."""
    if any(stack.runs for stack in chosen(stacks, live)):
        return running_one(stacks, live)
    return the_one(stacks, live, lambda stack: bool(stack.containers))


def named(stack: Stack, services: Sequence[str]) -> Sequence[str]:
    """Return the services; StackError if the stack does not have one of them."""
    for name in services:
        if name not in stack.containers:
            known = ", ".join(stack.services)
            raise StackError(f"nothing was done: {stack.title} has no {name}; it has {known}")
    return services
