"""The bus and the database of the settings, or those of a folder of `alphastocks up`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from libs.events.kafka.address import KafkaAddress
from libs.runtime.process import kafka_address, store_address
from libs.servers.clickhouse.server import LocalServer
from libs.servers.kafka.server import LocalKafka
from libs.store.binary_rows import BinaryRows
from libs.store.clickhouse import ClickHouseStore
from libs.store.store import StoreAddress
from services.local.backup.backing_up import Database
from services.local.backup.errors import BackupError
from services.local.backup.logs import Logs, journal_logs, kafka_logs
from services.local.backup.manifest import BusKind
from services.local.play.database import SERVER_FOLDER, migrations
from services.local.play.processes import JARS
from services.local.settings import LocalSettings

_KAFKA, _JOURNAL, _SIMULATOR = "kafka", "journal", "simulator"


@dataclass(frozen=True, slots=True)
class Place:
    """Where bus and database are; what the settings do not name is in the folder `var`."""

    settings: LocalSettings
    var: Path
    database: str

    @property
    def has_own_bus(self) -> bool:
        """Whether the bus is in the folder."""
        return self.settings.bus.kind == "local"

    @property
    def has_own_store(self) -> bool:
        """Whether the database is in the folder."""
        return not self.settings.store.host

    @property
    def own_bus_folders(self) -> tuple[Path, ...]:
        """The folders that a bus inside `var` uses."""
        names = (_KAFKA, _JOURNAL, _SIMULATOR)
        return tuple(self.var / name for name in names) if self.has_own_bus else ()

    @property
    def own_store_folders(self) -> tuple[Path, ...]:
        """The folders that a database inside `var` uses."""
        return (self.var / SERVER_FOLDER,) if self.has_own_store else ()

    @property
    def journal(self) -> Path:
        """The folder of the journal."""
        return self.var / _JOURNAL

    @property
    def simulator(self) -> Path:
        """The folder of the simulated account."""
        return self.var / _SIMULATOR

    @property
    def account(self) -> tuple[Path, ...]:
        """The files of the simulated account; its session is a secret, and none of them."""
        return tuple(sorted(self.simulator.glob("account.*"))) if self.has_own_bus else ()

    @property
    def bus_kind(self) -> BusKind:
        """The kind of bus that is there."""
        is_kafka = not self.has_own_bus or (self.var / _KAFKA).is_dir()
        return "kafka" if is_kafka else "journal"

    def refuse_missing(self) -> None:
        """Raise BackupError if the folder does not hold what the settings do not name."""
        if self.has_own_bus and self.bus_kind == "journal" and not self.journal.is_dir():
            raise BackupError(f"{self.var}: no bus in this folder: name that of `up` with --var")
        if self.has_own_store and not (self.var / SERVER_FOLDER).is_dir():
            raise BackupError(f"{self.var}: no tables in this folder: name that of `up` with --var")

    @asynccontextmanager
    async def kafka(self) -> AsyncIterator[KafkaAddress]:
        """Yield the address of the cluster; one of the folder is started."""
        if not self.has_own_bus:
            yield kafka_address(self.settings.bus)
            return
        async with LocalKafka(self.var / _KAFKA, JARS) as server:
            yield server.address

    @asynccontextmanager
    async def logs(self) -> AsyncIterator[Logs]:
        """Yield what the bus holds."""
        if self.bus_kind == "journal":
            with journal_logs(self.journal) as journal:
                yield journal
            return
        async with self.kafka() as address, kafka_logs(address) as logs:
            yield logs

    @asynccontextmanager
    async def server(self) -> AsyncIterator[StoreAddress]:
        """Yield the address of the database, as it is; a server of the folder is started."""
        if not self.has_own_store:
            yield replace(store_address(self.settings.store), database=self.database)
            return
        async with LocalServer(self.var / SERVER_FOLDER) as server:
            yield replace(server.address, database=self.database)


@asynccontextmanager
async def opened(address: StoreAddress) -> AsyncIterator[Database]:
    """Yield a database; the connections are closed afterwards."""
    store, rows = ClickHouseStore(address), BinaryRows(address)
    try:
        yield Database(address.database, store, rows, migrations())
    finally:
        await store.close()
        await rows.close()
