"""`python3 -m deploy.stack VERB [ARGUMENTS]`, from the project's folder: what `make` calls.

REASON and LIVE are variables: LIVE=1 means the live stack, LIVE=0 the simulator.
"""

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial

from deploy.stack import making, operating, saving
from deploy.stack.engine import all_stacks, say
from deploy.stack.found import Stack, StackError

Verb = Callable[[Sequence[Stack], str, Sequence[str]], None]
VERBS: dict[str, Verb] = {
    "up": making.up,
    "down": making.down,
    "rotate": making.rotate,
    "backup": saving.backup,
    "restore": saving.restore,
    "stop": operating.stop,
    "start": operating.start,
    "restart": operating.restart,
    "logs": operating.logs,
    "ps": operating.ps,
    "login": operating.login,
    "password": operating.password,
    "rewind": operating.rewind,
    "cli": operating.alphastocks,
    **{
        name: partial(operating.control, name)
        for name in ("state", "halt", "resume", "exit", "mode")
    },
    **{name: partial(operating.command, name) for name in ("lag", "tail", "dlq")},
}


def main(arguments: Sequence[str]) -> int:
    """Do what is asked; return the exit status, 1 where it was not done."""
    verb, *rest = arguments or [""]
    try:
        if verb not in VERBS:
            raise StackError(f"write one of {', '.join(sorted(VERBS))}")
        VERBS[verb](all_stacks(), os.environ.get("LIVE", ""), rest)
    except StackError as error:
        say(f"{verb or 'stack'}: {error}")
        return 1
    except KeyboardInterrupt:
        say(f"{verb}: interrupted")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
