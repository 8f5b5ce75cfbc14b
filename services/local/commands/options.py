"""What all commands share: the settings that they are given."""

from pathlib import Path
from typing import Annotated

import typer

from libs.runtime.settings import load_settings
from services.local.play.system import check_services
from services.local.settings import LocalSettings

DEFAULT_CONFIG = Path("config/alphastocks.toml")
Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file. [default: config/alphastocks.toml if it exists]"),
]


def settings_of(config: Path | None) -> LocalSettings:
    """Return the settings of a file and the environment; raise SettingsError naming the key."""
    file = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    settings = load_settings(LocalSettings, file)
    check_services(settings)
    return settings
