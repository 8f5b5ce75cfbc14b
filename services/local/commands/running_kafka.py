"""Which Kafka a command asks: that of the settings, or of a running `up --kafka`."""

from pathlib import Path
from typing import Annotated

import typer

from libs.runtime.settings import SettingsError
from services.local.commands.options import settings_of
from services.local.play.running_servers import FOLDERS, running_servers
from services.local.settings import LocalSettings

Running = Annotated[
    Path | None,
    typer.Option("--var", help="State folder of a running `up --kafka`. [default: the usual ones]"),
]


def cluster_settings(config: Path | None, var: Path | None) -> LocalSettings:
    """Return the settings with the Kafka of a running `up --kafka`, unless they name one.

    A `var` that is given counts more. Raises SettingsError where nothing runs in it, or where two
    run and none is named.
    """
    settings = settings_of(config)
    if settings.bus.kind == "kafka" and var is None:
        return settings
    running = running_servers(FOLDERS if var is None else (var,))
    if len(running) > 1:
        both = " and ".join(str(folder) for folder in running)
        raise SettingsError(f"`up --kafka` runs on {both}: name one of them by --var")
    if not running:
        if var is not None:
            raise SettingsError(f"--var: no `alphastocks up --kafka` runs on {var}")
        return settings
    (servers,) = running.values()
    bus = settings.bus.model_copy(update={"kind": "kafka", "bootstrap": servers.kafka})
    return settings.model_copy(update={"bus": bus})
