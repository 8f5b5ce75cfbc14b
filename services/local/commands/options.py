"""Options that several commands share, and the checks of their values."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from libs.market.calendar import load_calendar
from libs.runtime.settings import SettingsError, load_settings
from services.local.play.system import check_services
from services.local.settings import LocalSettings

DEFAULT_CONFIG = Path("config/alphastocks.toml")
MOST = 2**63 - 1
"""The largest seed."""
DEFAULT_DAY, DEFAULT_SEED = "2026-06-17", 7
Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file. [default: config/alphastocks.toml if it exists]"),
]
Var = Annotated[Path, typer.Option("--var", help="Folder for the database and other state.")]
Seed = Annotated[
    int,
    typer.Option("--seed", min=0, max=MOST, help="Seed of the generated market or chain."),
]
Day = Annotated[str, typer.Option("--date", help="Trading day, such as 2021-06-09.")]


def settings_unchecked(config: Path | None) -> LocalSettings:
    """Return the settings of a file and the environment, not checked against each other."""
    file = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    return load_settings(LocalSettings, file)


def settings_of(config: Path | None) -> LocalSettings:
    """Return the settings of a file and the environment; raise SettingsError naming the key."""
    settings = settings_unchecked(config)
    check_services(settings)
    return settings


def trading_day(text: str, exchange: str = "NSE", option: str = "--date") -> date:
    """Return the day of an option; raise SettingsError unless an exchange trades on it."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{option}: {text!r} is not a date such as 2021-06-09") from None
    reason = load_calendar().closed_reason(exchange, day)
    if reason is not None:
        raise SettingsError(f"{option}: the market is closed on {day} ({reason})")
    return day
