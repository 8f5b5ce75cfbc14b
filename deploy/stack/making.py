"""Makes a stack, takes it down, and makes its secrets anew."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.stack.engine import ask, do, now, say, trouble
from deploy.stack.found import Stack, StackError, chosen, present_one, running_one

KEY = "KITE_API_KEY"
ROTATED = {
    "operator": ("/secrets/operator/token", "/secrets/control/executor__control"),
    "store": ("/secrets/store/store__password",),
}


def up(stacks: Sequence[Stack], live: str, arguments: Sequence[str]) -> None:
    """Build and start a stack; refused before anything is built while the other one runs."""
    wanted = chosen(stacks, live or "0")[0]
    for other in stacks:
        if other.runs and other.kind != wanted.kind:
            raise StackError(
                f"nothing was built: {other.title} runs, and only one stack may. Stop it with "
                f"`make down {other.switch}`, or go on with it: `make up {other.switch}`"
            )
    if wanted.kind == "live":
        check_live(wanted)
    say(f"{wanted.title}: up")
    try:
        do(
            wanted.compose("up", "--detach", "--build", "--wait", *arguments),
            f"{wanted.title} is not up: `make ps {wanted.switch}` shows what is unhealthy, and why",
        )
    finally:
        for line in trouble(now(wanted)):
            say(f"  {line}")
    port = os.environ.get("GRAFANA_PORT", "3000")
    say(
        f"{wanted.title} is up. Grafana: http://localhost:{port}, user admin; make password shows "
        "the password"
    )


def check_live(stack: Stack) -> None:
    """Go through the list of `alphastocks doctor`; StackError where something must be mended."""
    folder = ask("docker", "info", "--format", "{{.DockerRootDir}}").strip()
    given = ["--docker", *(("--running",) if stack.runs else ())]
    given += ["--var", folder] if Path(folder).is_dir() else []
    do(
        [sys.executable, "-m", "services.local", "doctor", *given],
        f"nothing was built: {stack.title} cannot start before what failed above is mended",
    )


def down(stacks: Sequence[Stack], live: str, arguments: Sequence[str]) -> None:
    """Stop a stack and remove its containers; its data stays unless -v is given."""
    stack = present_one(stacks, live)
    say(f"{stack.title}: down")
    do(stack.compose("down", *arguments), f"{stack.title} is not down")


def rotate(stacks: Sequence[Stack], live: str, arguments: Sequence[str]) -> None:
    """Make a secret anew, and restart what uses it."""
    stack = running_one(stacks, live)
    which = arguments[0] if len(arguments) == 1 else ""
    if which not in ROTATED:
        raise StackError(f"nothing was done: rotate what? ARGS is one of {', '.join(ROTATED)}")
    need_key(stack)
    say(f"{stack.title}: rotate {which}")
    removal = ("run", "--rm", "--no-deps", "-T", "--entrypoint", "rm", "secrets", "-f")
    do(stack.compose(*removal, *ROTATED[which]), "nothing was rotated")
    users = ("secrets", "executor") if which == "operator" else ()
    do(
        stack.compose("up", "--detach", "--wait", "--no-build", "--force-recreate", *users),
        f"{stack.title} is not healthy with the new secret: `make ps` shows why",
    )


def need_key(stack: Stack) -> None:
    """Refuse to make containers of the live stack without a key: they would start for ever."""
    if stack.kind == "live" and not os.environ.get(KEY):
        raise StackError(f"nothing was done: {KEY} is not set: export the key of your app at Kite")
