"""`alphastocks migrate`: the tables of a database, up to date."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from libs.runtime.settings import StoreSettings
from services.local import screen
from services.local.commands.options import Config, Var, settings_of
from services.local.commands.places import check_database, check_folder
from services.local.play.database import migrations, open_database


def migrate(
    config: Config = None,
    var: Var = Path("var"),
    database: Annotated[str, typer.Option("--database", help="Database.")] = "alphastocks",
) -> None:
    """Apply the migrations that a database lacks.

    Example: `ALPHASTOCKS_STORE__HOST=localhost alphastocks migrate`
    """
    settings = settings_of(config)
    check_database(database)
    if not settings.store.host:
        check_folder("--var", var)
    name = asyncio.run(_migrated(settings.store, var, database))
    for migration in migrations():
        screen.console.print(f"{migration.service:10} {migration.number:04} {migration.title}")
    screen.console.print(f"Database {name} is up to date.")


async def _migrated(settings: StoreSettings, var: Path, database: str) -> str:
    """Bring a database up to date and return its name."""
    async with open_database(settings, var, database) as address:
        return address.database
