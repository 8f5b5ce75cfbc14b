"""What Docker is asked and told."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from deploy.stack.found import JOBS, ROOT, Stack, StackError, stacks_of

FIELDS = (
    '{{.Label "com.docker.compose.project"}}',
    '{{.Label "com.docker.compose.service"}}',
    "{{.State}}",
    "{{.Names}}",
)
ENDED = '{{index .Config.Labels "com.docker.compose.service"}}\t{{.State.ExitCode}}\t{{.Name}}'
HEALTH = '{{index .Config.Labels "com.docker.compose.service"}}\t{{json .State.Health}}'
NOT_BY_HAND = "label=com.docker.compose.oneoff=False"


def all_stacks() -> list[Stack]:
    """Return both stacks as they are now; COMPOSE_PROJECT_NAME replaces `alphastocks` in names."""
    listed = ask("docker", "ps", "--all", "--filter", NOT_BY_HAND, "--format", "\t".join(FIELDS))
    return stacks_of(listed, os.environ.get("COMPOSE_PROJECT_NAME") or "alphastocks")


def ask(*command: str) -> str:
    """Return what a command prints; StackError with its reason where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError:
        raise StackError("there is no docker command here: install Docker with Compose") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise StackError(f"nothing was done: docker: {reason}")
    return done.stdout


def do(command: Sequence[str], failure: str) -> None:
    """Run a command in this terminal; StackError with `failure` where it does not end well."""
    status = subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603
    if status:
        raise StackError(f"{failure} (exit status {status})")


def say(text: str) -> None:
    """Print a line to standard error, at once."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201  what an operator reads


def now(stack: Stack) -> Stack:
    """Return a stack as it is now."""
    return next(one for one in all_stacks() if one.project == stack.project)


def cli(stack: Stack, *arguments: str) -> list[str]:
    """Return the command line of an `alphastocks` command inside the stack."""
    terminal = () if sys.stdin.isatty() and sys.stdout.isatty() else ("-T",)
    return stack.compose("run", "--rm", "--no-deps", *terminal, "cli", *arguments)


def expect(stack: Stack, services: Sequence[str], *, runs: bool) -> None:
    """Look again: StackError where a service is not as it should be now."""
    after = now(stack).containers
    for name in services:
        if (name in after and after[name].runs) is not runs:
            is_it = after[name].state if name in after else "not there"
            raise StackError(f"{name} of {stack.title} is {is_it}: look at `make logs ARGS={name}`")


def trouble(stack: Stack) -> list[str]:
    """Return a line for each job that failed, each service that waits, and each not ready."""
    return [*failed(stack), *awaited(stack)]


def failed(stack: Stack) -> list[str]:
    """Return the last words of each job that failed, and of each service that starts for ever."""
    names = [
        one.name
        for service, one in stack.containers.items()
        if one.state == "restarting" or (service in JOBS and not one.runs)
    ]
    lines = ask("docker", "inspect", "--format", ENDED, *names).splitlines() if names else []
    told = []
    for line in lines:
        service, status, name = line.split("\t")
        if status != "0":
            told.append(f"{service} failed (exit status {status}): {last_words(name.lstrip('/'))}")
    return sorted(told)


def last_words(container: str) -> str:
    """Return the last line that a container wrote, wherever it wrote it."""
    command = ("docker", "logs", "--tail", "1", container)
    said = subprocess.run(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return (said.stdout.strip().splitlines() or ["it said nothing"])[-1]


def awaited(stack: Stack) -> list[str]:
    """Return what each service says in its health check if it is not simply at work."""
    names = [one.name for one in stack.containers.values() if one.runs]
    lines = ask("docker", "inspect", "--format", HEALTH, *names).splitlines() if names else []
    told = []
    for line in lines:
        service, _, health = line.partition("\t")
        checks = (json.loads(health) or {}).get("Log") or [{"Output": ""}]
        if reason := reason_of(checks[-1]["Output"]):
            told.append(f"{service} {reason}")
    return sorted(told)


def reason_of(answer: str) -> str:
    """Return what a service waits for, or why it is not ready; "" for an answer of another kind."""
    try:
        body = json.loads(answer)
    except ValueError:  # the check of another image
        return ""
    if not isinstance(body, dict):
        return ""
    if body.get("waits_for"):
        return f"waits for {body['waits_for']}"
    if body.get("status") == "not ready":
        bad = [f"{name}: {why}" for name, why in body["components"].items() if why != "ok"]
        return f"is not ready: {'; '.join(bad)}"
    return ""
