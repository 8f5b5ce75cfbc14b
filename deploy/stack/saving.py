"""Backs a stack up to the folder `backups/` of the checkout, and restores it from there."""

import os
import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from deploy.stack.engine import do, say
from deploy.stack.found import ROOT, Stack, StackError, chosen, running_one
from deploy.stack.making import need_key

FOLDER, INSIDE = ROOT / "backups", "/backups"
SERVERS = ("kafka", "clickhouse")
SIX = ("ingest", "candle", "strategy", "signal", "executor", "position")
_INDIA = timezone(timedelta(hours=5, minutes=30))
_NAME = re.compile(r"\w[\w.-]*")


def backup(stacks: Sequence[Stack], live: str, arguments: Sequence[str]) -> None:
    """Back up tables, topics and offsets of the stack that runs; its name is today's date."""
    stack = running_one(stacks, live)
    name = _name(arguments) if arguments else f"{datetime.now(_INDIA):%Y-%m-%d}"
    FOLDER.mkdir(exist_ok=True)
    say(f"{stack.title}: backup to {FOLDER / name}")
    do(_command(stack, "backup", name), f"no backup of {stack.title} was made")


def restore(stacks: Sequence[Stack], live: str, arguments: Sequence[str]) -> None:
    """Restore a backup into a stack whose volumes are empty and whose services do not run."""
    stack = chosen(stacks, live or "0")[0]
    name, folder = _name(arguments), FOLDER / _name(arguments)
    if not folder.is_dir():
        raise StackError(f"nothing was done: there is no backup {folder}")
    running = [one for one in SIX if one in stack.containers and stack.containers[one].runs]
    if running:
        raise StackError(
            f"nothing was done: {', '.join(running)} of {stack.title} runs: `make down "
            f"{stack.switch}`, and remove the volumes of what is lost"
        )
    need_key(stack)
    say(f"{stack.title}: restore from {folder}")
    do(stack.compose("up", "--detach", "--build", "--wait", *SERVERS), "Kafka or ClickHouse failed")
    do(_command(stack, "restore", name, *arguments[1:]), f"{stack.title} is not restored")
    say(f"{stack.title}: restored; {_what_next(stack, arguments[1:])}")


def _what_next(stack: Stack, options: Sequence[str]) -> str:
    up = f"`make up {stack.switch}`"
    if "tables" in options:
        return f"{up}, then `make rewind` for each table (runbook, Restore)"
    return f"compare with the broker's page, then {up}"


def _name(arguments: Sequence[str]) -> str:
    """Return the name of a backup, a folder in `backups/`."""
    if not arguments or not _NAME.fullmatch(arguments[0]):
        raise StackError("nothing was done: which backup? ARGS is its name, 2026-06-17 for example")
    return arguments[0]


def _command(stack: Stack, verb: str, name: str, *options: str) -> list[str]:
    """Return the command line that runs beside the stack, as the user whose files these are."""
    us, mount = f"{os.getuid()}:{os.getgid()}", f"{FOLDER}:{INSIDE}"
    how = ("run", "--rm", "--no-deps", "-T", "--user", us, "--volume", mount)
    return stack.compose(*how, "cli", verb, str(Path(INSIDE, name)), *options)
