"""What is done with a stack that runs."""

import os
from collections.abc import Sequence

from deploy.stack.engine import cli, do, expect, say, trouble
from deploy.stack.found import Stack, StackError, named, present_one, running_one
from deploy.stack.making import KEY

HEAP = "KAFKA_HEAP_OPTS=-Xmx128m"  # of the tool, which runs beside the broker
SECRET = "KITE_API_SECRET"  # noqa: S105  a variable's name


def control(verb: str, stacks: Sequence[Stack], live: str, arguments: Sequence[str]) -> None:
    """Pass a command to the executor; StackError where it did not take it."""
    stack = running_one(stacks, live)
    executor = stack.containers.get("executor")
    if executor is None or not executor.runs:
        is_it = executor.state if executor else "not there"
        raise StackError(
            f"nothing was done: the executor of {stack.title} is {is_it}, so it sends no order, "
            "no exit either. `make start ARGS=executor`, or close positions at the broker's page"
        )
    say(f"{stack.title}: {verb}")
    reason = os.environ.get("REASON", "")
    given = ("--reason", reason) if reason and verb != "state" else ()
    do(
        cli(stack, verb, *given, *arguments),
        f"not confirmed in {stack.title}; `make state` shows what holds. If the executor "
        "does not answer: `make stop ARGS=executor`, then close positions at the broker's page",
    )


def stop(stacks: Sequence[Stack], live: str, arguments: Sequence[str]) -> None:
    """Stop services."""
    stack = running_one(stacks, live)
    if not arguments:
        raise StackError("nothing was done: stop what? `make stop ARGS=executor`; all: `make down`")
    for name in named(stack, arguments):
        if not stack.containers[name].runs:
            raise StackError(f"nothing was done: {name} of {stack.title} does not run")
    say(f"{stack.title}: stop {' '.join(arguments)}")
    do(stack.compose("stop", *arguments), f"not stopped in {stack.title}")
    expect(stack, arguments, runs=False)


def start(stacks: Sequence[Stack], live: str, arguments: Sequence[str]) -> None:
    """Start services that are there and do not run; without a name all of them."""
    stack = present_one(stacks, live)
    idle = [name for name in stack.services if not stack.containers[name].runs]
    wanted = list(named(stack, arguments)) or idle
    if not set(wanted) & set(idle):
        what = " ".join(arguments) or "everything"
        raise StackError(f"nothing was done: {what} of {stack.title} runs already; see `make ps`")
    say(f"{stack.title}: start {' '.join(wanted)}")
    bring_up(stack, wanted)


def bring_up(stack: Stack, services: Sequence[str]) -> None:
    """Start these containers as they are and nothing that they depend on; wait for health."""
    alone = ("--no-build", "--no-recreate", "--no-deps")
    do(
        stack.compose("up", "--detach", "--wait", *alone, *services),
        f"{' '.join(services)} not healthy in {stack.title}: `make ps` shows why",
    )
    expect(stack, services, runs=True)


def restart(stacks: Sequence[Stack], live: str, arguments: Sequence[str]) -> None:
    """Restart services."""
    stack = running_one(stacks, live)
    if not arguments:
        raise StackError("nothing was done: restart what? `make restart ARGS=ingest`")
    say(f"{stack.title}: restart {' '.join(named(stack, arguments))}")
    do(stack.compose("restart", "--no-deps", *arguments), f"not restarted in {stack.title}")
    expect(stack, arguments, runs=True)


def logs(stacks: Sequence[Stack], live: str, arguments: Sequence[str]) -> None:
    """Follow the logs of services, or of all."""
    stack = present_one(stacks, live)
    named(stack, arguments)
    say(f"{stack.title}: logs")
    do(stack.compose("logs", "--follow", "--tail", "20", *arguments), "no logs")


def ps(stacks: Sequence[Stack], live: str, arguments: Sequence[str]) -> None:
    """Show the containers, and what a service waits for or why it is not ready."""
    stack = present_one(stacks, live)
    say(f"{stack.title}: ps")
    do(stack.compose("ps", "--all", *arguments), "no list")
    for line in trouble(stack):
        say(f"  {line}")
    if not stack.runs:
        raise StackError(f"nothing of {stack.title} runs: `make start` starts it")


def alphastocks(stacks: Sequence[Stack], live: str, arguments: Sequence[str]) -> None:
    """Run any command of `alphastocks` inside the stack."""
    stack = running_one(stacks, live)
    if not arguments:
        raise StackError('nothing was done: which command? `make cli ARGS="lag --watch"`')
    say(f"{stack.title}: alphastocks {' '.join(arguments)}")
    do(cli(stack, *arguments), f"{arguments[0]} failed in {stack.title}")


def login(stacks: Sequence[Stack], live: str, arguments: Sequence[str]) -> None:
    """Log in at Kite, for the live stack."""
    stack = running_one(stacks, live)
    if stack.kind != "live":
        raise StackError(f"nothing was done: {stack.title} runs, and a simulator needs no login")
    for variable in (KEY, SECRET):
        if not os.environ.get(variable):
            raise StackError(
                f"nothing was done: {variable} is not set: export it, it is not stored"
            )
    say(f"{stack.title}: login")
    do(cli(stack, "login", *arguments), f"not logged in: {stack.title} goes on waiting")


def password(stacks: Sequence[Stack], live: str, arguments: Sequence[str]) -> None:
    """Show the password of Grafana's user admin."""
    stack = running_one(stacks, live)
    say(f"{stack.title}: Grafana's user is admin, the password")
    show = ("exec", "-T", "grafana", "cat", "/run/alphastocks/grafana/admin_password")
    do(stack.compose(*show), f"no password: does grafana run in {stack.title}?")
    print()  # noqa: T201  the file has no end of line


def rewind(stacks: Sequence[Stack], live: str, arguments: Sequence[str]) -> None:
    """Let the writer of a table read its topics again from the beginning."""
    stack = running_one(stacks, live)
    group = arguments[0] if len(arguments) == 1 else ""
    service, is_writer, _ = group.partition(".writer.")
    if not is_writer:
        wrong = f"{group} is no writer of a table." if group else "rewind which writer of a table?"
        raise StackError(
            f"nothing was done: {wrong} Write make rewind ARGS=position.writer.positions; the "
            "offsets of other groups must never be reset"
        )
    named(stack, [service])
    say(f"{stack.title}: {group} reads its topics again; {service} stops meanwhile")
    do(stack.compose("stop", service), f"{service} was not stopped")
    tool = ("/opt/kafka/bin/kafka-consumer-groups.sh", "--bootstrap-server", "kafka:9092")
    what = ("--group", group, "--all-topics", "--reset-offsets", "--to-earliest", "--execute")
    try:
        do(stack.compose("exec", "-T", "-e", HEAP, "kafka", *tool, *what), f"{group} was not reset")
    finally:
        bring_up(stack, [service])


def command(name: str, stacks: Sequence[Stack], live: str, arguments: Sequence[str]) -> None:
    """Run the command of `alphastocks` that has this name inside the stack."""
    alphastocks(stacks, live, (name, *arguments))
