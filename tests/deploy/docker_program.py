"""What stands in for `docker`, run as a program of its own: it must start quickly.

It answers `ps`, `info`, `inspect`, `logs`, and `compose -p PROJECT ... VERB`, by the `facts.json`
beside it.
"""

import json
import os
import sys
from typing import Any

FOLDER = os.path.dirname(os.path.abspath(sys.argv[0]))
FACTS, TOLD = os.path.join(FOLDER, "facts.json"), os.path.join(FOLDER, "told")


def main(arguments: list[str]) -> int:
    """Answer as docker does."""
    with open(FACTS) as file:
        facts = json.load(file)
    if arguments[0] == "compose":
        status = _compose(facts, arguments[1:])
        with open(FACTS, "w") as file:
            json.dump(facts, file)
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
    if arguments[0] == "logs":
        return str(named[0]["words"])
    if "ExitCode" in " ".join(arguments):
        return "\n".join(
            f"{one['service']}\t{2 if one['words'] else 0}\t/{_name(one)}" for one in named
        )
    checks = ({"Log": [{"Output": one["said"]}]} if one["said"] else None for one in named)
    return "\n".join(
        f"{one['service']}\t{json.dumps(health)}" for one, health in zip(named, checks, strict=True)
    )


def _name(one: dict[str, str]) -> str:
    return f"{one['project']}-{one['service']}-1"


def _compose(facts: dict[str, Any], arguments: list[str]) -> int:
    project = arguments[arguments.index("-p") + 1]
    is_live = "--env-file" in arguments
    verb, *rest = arguments[arguments.index("-f") + 2 :]
    with open(TOLD, "a") as log:
        log.write(f"{project}{' (live.env)' if is_live else ''}: {' '.join((verb, *rest))}\n")
    if verb not in facts["ignores"]:
        after = {"stop": "exited", "start": "running", "restart": "running", "up": "running"}
        for one in facts["containers"]:
            if one["project"] == project and one["service"] in rest and verb in after:
                one["state"] = after[verb]
    return int(facts["fails"].get(verb, 0))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
