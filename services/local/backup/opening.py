"""The bus and the database of the settings, or those of a folder of `alphastocks up`."""

from collections.abc import AsyncIterator, Sequence
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
from services.local.play.state_folder import MARKET
from services.local.settings import LocalSettings

_KAFKA, _JOURNAL, _SIMULATOR = "kafka", "journal", "simulator"
_OF_UP = ("kite", "up")
"""The databases of `up`, where the settings name none."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where bus and database are; what the settings do not name is in the folder `var`.

    `database` is empty where neither the settings nor an option names one.
    """

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
    def own_bus_state(self) -> tuple[Path, ...]:
        """The folders of a bus inside `var`, and the file that says which market it carries."""
        names = (_KAFKA, _JOURNAL, _SIMULATOR, MARKET)
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
    def account(self) -> tuple[Path, ...]:
        """The files of the simulated account and its market; its session is a secret, so not it."""
        if not self.has_own_bus:
            return ()
        return (*sorted((self.var / _SIMULATOR).glob("account.*")), *self.var.glob(MARKET))

    def account_file(self, name: str) -> Path:
        """Return where a file of `account` belongs."""
        return self.var / name if name == MARKET else self.var / _SIMULATOR / name

    @property
    def bus_kind(self) -> BusKind:
        """The kind of bus that is there."""
        is_kafka = not self.has_own_bus or (self.var / _KAFKA).is_dir()
        return "kafka" if is_kafka else "journal"

    def bus_name(self, kind: BusKind) -> str:
        """Return where a bus of this kind is, for people."""
        if kind == "journal":
            return f"the journal {self.journal}"
        if self.has_own_bus:
            return f"Kafka in {self.var / _KAFKA}"
        bus = self.settings.bus
        return f"Kafka at {bus.bootstrap}" + (f", prefix {bus.prefix}" if bus.prefix else "")

    def store_name(self, database: str) -> str:
        """Return where a database is, for people."""
        store = self.settings.store
        there = f"in {self.var / SERVER_FOLDER}" if self.has_own_store else ""
        return f"database {database} {there or f'at {store.host}:{store.port}'}"

    def refuse_two(self) -> None:
        """Raise BackupError where two buses could be meant."""
        if not self.journal.is_dir():
            return
        if not self.has_own_bus:
            raise BackupError(
                f"{self.journal}: a journal of `up`, and the settings name Kafka: which one? For "
                "Kafka name a folder without a journal with --var; for the journal set bus.kind "
                "to local"
            )
        if (self.var / _KAFKA).is_dir():
            raise BackupError(
                f"{self.var}: both {_JOURNAL} and {_KAFKA} are there, of `up` without and with "
                "--kafka: which one? Move the other one away"
            )

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
    async def database_there(self) -> AsyncIterator[Database]:
        """Yield the database as it is; without a name the only one of `up`."""
        async with self.server() as address:
            name = address.database or await _only_one(address)
            async with opened(replace(address, database=name)) as database:
                yield database


def only_one_of_up(names: Sequence[str]) -> str:
    """Return the database of `up` among those of a server; raise BackupError unless it is one."""
    of_up = [name for name in _OF_UP if name in names]
    if len(of_up) != 1:
        found = " and ".join(of_up) or f"neither {' nor '.join(_OF_UP)}"
        raise BackupError(f"which database? Found {found}: name it with --database")
    return of_up[0]


async def _only_one(address: StoreAddress) -> str:
    async with opened(replace(address, database="default")) as server:
        return only_one_of_up((await server.store.query("SHOW DATABASES"))["name"])


@asynccontextmanager
async def opened(address: StoreAddress) -> AsyncIterator[Database]:
    """Yield a database; the connections are closed afterwards."""
    store, rows = ClickHouseStore(address), BinaryRows(address)
    try:
        yield Database(address.database, store, rows, migrations())
    finally:
        await store.close()
        await rows.close()
