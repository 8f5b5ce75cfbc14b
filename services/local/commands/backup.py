"""`alphastocks backup` and `alphastocks restore`."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from libs.runtime.logs import configure_logs
from libs.runtime.version import VERSION
from services.local import screen
from services.local.backup.backing_up import Database, Step, back_up, make_folder
from services.local.backup.errors import BackupError
from services.local.backup.logs import Logs, journal_logs, kafka_logs
from services.local.backup.manifest import BusKind, Manifest, Part
from services.local.backup.opening import Place, opened
from services.local.backup.restoring import (
    checked_manifest,
    refuse_full_tables,
    refuse_full_topics,
    refuse_misfits,
    refuse_other_partitions,
    restore_account,
    restore_tables,
    restore_topics,
)
from services.local.backup.telling import steps, what_and_where, what_next
from services.local.commands.options import Config, settings_of
from services.local.commands.places import check_database, check_folder
from services.local.commands.topics import ensure_topics
from services.local.play.database import migrations, open_database

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the backup.")]
Var = Annotated[
    Path, typer.Option("--var", help="Folder of `up`: holds what the settings do not name.")
]
DatabaseName = Annotated[
    str | None,
    typer.Option(
        "--database", help="Database. [default: the settings'; else that of `up`, or of the backup]"
    ),
]


def backup(
    folder: Folder, config: Config = None, var: Var = Path("var/up"), database: DatabaseName = None
) -> None:
    """Copy the tables, the records of all topics and the groups' offsets into a new folder.

    Bus and database are those of the settings; what these do not name is in the folder --var of
    `alphastocks up`, which must not run; after `up --kafka` or `up --kite` name their folder.
    Services on Kafka may run: what they handle meanwhile is handled once more after a restore,
    which equal ids make harmless. The last line says which bus and database were copied.

    Example: `alphastocks backup backups/2026-06-17`
    """
    check_folder("FOLDER", folder)
    place = _place(config, var, database)
    manifest = asyncio.run(_backed_up(place, folder))
    said = what_and_where(place, manifest, frozenset(Part))
    size = sum(file.size for file in manifest.files) / 1e6
    screen.console.print(f"Backup in {folder} of {said}, {size:.1f} MB.", soft_wrap=True)


def restore(
    folder: Folder,
    only: Annotated[
        Part | None, typer.Option("--only", help="This part alone; the other one is left as it is.")
    ] = None,
    config: Config = None,
    var: Var = Path("var/up"),
    database: DatabaseName = None,
) -> None:
    """Restore a backup into an empty bus and an empty database; stop all services first.

    All files are checked before anything is written. What the settings do not name is made in the
    folder --var, which must not hold it yet.

    Example: `alphastocks restore backups/2026-06-17`
    """
    place = _place(config, var, database)
    parts = frozenset(Part) if only is None else frozenset({only})
    if _made_in_var(place, parts):
        check_folder("--var", var)
    manifest = asyncio.run(_restored(place, folder, parts))
    what = f"the {only} of " if only else ""
    said = what_and_where(place, manifest, parts)
    screen.console.print(f"Restored {what}the backup into {said}.", soft_wrap=True)
    screen.console.print(what_next(place, parts), soft_wrap=True)


def _place(config: Path | None, var: Path, database: str | None) -> Place:
    check_database(database)
    settings = settings_of(config)
    configure_logs("error", settings.runtime.log_format)
    return Place(settings, var, database or settings.store.database)


async def _backed_up(place: Place, folder: Path) -> Manifest:
    place.refuse_two()
    place.refuse_missing()
    make_folder(folder)
    try:
        with steps() as step:
            async with place.logs() as logs, place.database_there() as database:
                return await back_up(
                    logs,
                    database,
                    folder,
                    version=VERSION,
                    now=datetime.now(UTC),
                    account=place.account,
                    step=step,
                )
    except BaseException:
        shutil.rmtree(folder)  # it was empty before
        raise


async def _restored(place: Place, folder: Path, parts: frozenset[Part]) -> Manifest:
    with steps() as step:
        kind: BusKind | None = None if place.has_own_bus else "kafka"
        manifest = checked_manifest(folder, kind, migrations(), step)
        place = replace(place, database=place.database or manifest.database)
        if Part.TABLES in parts and not place.database:
            raise BackupError(f"{folder}: which database? It names none: name it with --database")
        with _fresh(place, parts):
            async with AsyncExitStack() as stack:
                logs = database = None
                if Part.TOPICS in parts:
                    logs = await stack.enter_async_context(_empty_logs(place, manifest.bus))
                    await refuse_other_partitions(logs, manifest)
                if Part.TABLES in parts:
                    database = await stack.enter_async_context(_empty_database(place))
                    await refuse_misfits(database, manifest)
                with _told_if_unfinished(place):
                    await _fill(place, folder, manifest, logs, database, step)
    return manifest


async def _fill(
    place: Place,
    folder: Path,
    manifest: Manifest,
    logs: Logs | None,
    database: Database | None,
    step: Step,
) -> None:
    if database is not None:
        await restore_tables(database, folder, manifest, step)
    if logs is not None:
        _restore_account(place, folder, manifest)
        await restore_topics(logs, folder, manifest, step)


def _restore_account(place: Place, folder: Path, manifest: Manifest) -> None:
    """Restore the simulated account beside an own bus only: elsewhere it may be in use."""
    if place.has_own_bus:
        restore_account(folder, manifest, place)
    elif manifest.account:
        screen.notify(
            f"The simulated account is not restored: the bus is not in {place.var}. Its files are "
            f"in {folder / 'account'}."
        )


@contextmanager
def _fresh(place: Place, parts: frozenset[Part]) -> Iterator[None]:
    """Refuse what is in the folder of `up` already; remove what was made if the block fails."""
    made = _made_in_var(place, parts)
    for path in made:
        if path.exists():
            raise BackupError(f"{path}: exists: move it away, or name another folder with --var")
    try:
        yield
    except BaseException:
        for path in made:
            _remove(path)
        raise


def _made_in_var(place: Place, parts: frozenset[Part]) -> list[Path]:
    """Return what these parts need in the folder of `up`: nothing where the settings name both."""
    return [
        *(place.own_bus_state if Part.TOPICS in parts else ()),
        *(place.own_store_folders if Part.TABLES in parts else ()),
    ]


def _remove(path: Path) -> None:
    if path.is_file():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


@asynccontextmanager
async def _empty_logs(place: Place, kind: BusKind) -> AsyncIterator[Logs]:
    """Yield the bus with its topics; one that holds something is refused and left as it is."""
    if kind == "journal":
        with journal_logs(place.journal) as journal:
            yield journal
        return
    async with place.kafka() as address:
        await refuse_full_topics(address)
        await ensure_topics(place.settings, address)
        async with kafka_logs(address) as logs:
            yield logs


@asynccontextmanager
async def _empty_database(place: Place) -> AsyncIterator[Database]:
    """Yield the database with its tables; one that holds rows is refused and left as it is.

    Its TTL is off: it would delete old rows on their way in. The next start turns it on again.
    """
    if not place.has_own_store:
        async with place.server() as there, opened(replace(there, database="default")) as server:
            await refuse_full_tables(server.store, place.database, migrations())
    store = place.settings.store.model_copy(update={"database": place.database, "ttl": False})
    async with (
        open_database(store, place.var, place.database) as address,
        opened(address) as database,
    ):
        yield database


@contextmanager
def _told_if_unfinished(place: Place) -> Iterator[None]:
    """Say what to do about a bus or a database on a server that was filled in part."""
    try:
        yield
    except BaseException:
        if not (place.has_own_bus and place.has_own_store):
            screen.notify(
                "The restore is unfinished. Before the next one, drop the database "
                f"{place.database} and the topics."
            )
        raise
