"""What stops trading is at hand quickly: `alphastocks halt` imports no service."""

import subprocess
import sys

import pytest

from libs.runtime.settings import RuntimeSettings
from services.local.__main__ import app
from services.local.command import URGENT, urgent
from services.local.commands.executor_client import DEFAULT_URL
from services.local.own_control import executor_url


def callbacks(commands: object) -> dict[str, object]:
    registered = commands.registered_commands  # type: ignore[attr-defined]
    return {one.name or one.callback.__name__: one.callback for one in registered}


@pytest.mark.parametrize("name", URGENT)
def test_a_command_in_a_hurry_is_the_same_as_that_of_the_whole_app(name: str) -> None:
    assert callbacks(urgent(name)) == {name: callbacks(app)[name]}


def test_a_halt_imports_no_service() -> None:
    look = (
        "import sys, services.local.command as c; c.urgent('halt'); "
        "print([n for n in sys.modules if n.startswith('services.') and '.local' not in n],"
        " [n for n in ('pandas', 'fastapi', 'scipy', 'clickhouse_driver') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


def test_the_usual_address_of_the_executor_is_that_of_the_settings() -> None:
    assert executor_url(RuntimeSettings()) == DEFAULT_URL
