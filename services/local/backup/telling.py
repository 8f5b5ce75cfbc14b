"""What backup and restore say on their way and at their end."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from services.local import screen
from services.local.backup.backing_up import Step
from services.local.backup.manifest import Manifest, Part
from services.local.backup.opening import Place
from services.local.backup.tables import Advance


@contextmanager
def steps() -> Iterator[Step]:
    """Show how far each step is, on a terminal only."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    hidden = not screen.errors.is_terminal
    with Progress(*columns, console=screen.errors, disable=hidden) as progress:

        def step(what: str, total: int) -> Advance:
            task = progress.add_task(what, total=total)
            return lambda done: progress.update(task, advance=done)

        yield step


def what_and_where(place: Place, manifest: Manifest, parts: Collection[Part]) -> str:
    """Return which bus and database these parts are of, or were restored into, and their size."""
    where = {
        Part.TOPICS: place.bus_name(manifest.bus),
        Part.TABLES: place.store_name(place.database or manifest.database),
    }
    what = {
        Part.TOPICS: f"{manifest.records:,} records of {len(manifest.topics)} partitions, "
        f"{len(manifest.offsets)} offsets",
        Part.TABLES: f"{manifest.rows:,} rows of {len(manifest.tables)} tables",
    }
    chosen = [part for part in (Part.TOPICS, Part.TABLES) if part in parts]
    of, held = (" and ".join(said[part] for part in chosen) for said in (where, what))
    return f"{of}: {held}, made at {manifest.made_at:%Y-%m-%d %H:%M} UTC"


def what_next(place: Place, parts: Collection[Part]) -> str:
    """Return what is to be done, or to be known, after a restore."""
    if Part.TOPICS in parts:
        return "The services may be started: they resume where they were."
    if place.has_own_bus:
        missing = "what was handled after the backup stays out of the tables"
        return f"The writers go on where the bus is: {missing}."
    return "The writers go on where the bus is: `make rewind` for each table (runbook, Restore)."
