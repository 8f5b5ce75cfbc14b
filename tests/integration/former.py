"""A small day as another version left it: journal, simulated account, and tables.

`former/<commit>.tar.xz` was made at that commit by `alphastocks up --speed 300` on two underlyings,
ended while a position was open. It holds the journal as it was, the migrations of that commit, and
the rows of its tables (but for ticks) in the files of a backup.
"""

import json
import tarfile
from asyncio import run
from dataclasses import dataclass
from pathlib import Path

from libs.store.binary_rows import BinaryRows
from libs.store.clickhouse import ClickHouseStore, create_database
from libs.store.migrate import apply, discover
from libs.store.store import StoreAddress
from services.local.backup.manifest import KeptTable
from services.local.backup.tables import copy_in

ARCHIVE = Path(__file__).with_name("former") / "cdc7d2d.tar.xz"
SETTINGS = """
[ingest]
history = { days = 2, intervals = ["5m"] }
[ingest.universe]
underlyings = ["NSE:NIFTY 50", "NSE:RELIANCE"]
expiries = 1
near_strikes = 3
most = 60
[strategy]
strategies = [{ name = "ma_crossover", parameters = { interval = "5m" } }]
[executor]
entry = { min_confidence = 0.0, min_expected_move = 0.0 }
"""
"""The settings with which the day was played."""


@dataclass(frozen=True, slots=True)
class Former:
    """The state; `var` is the folder of `up`."""

    var: Path
    tables: tuple[KeptTable, ...]

    @classmethod
    def unpacked(cls, var: Path, address: StoreAddress) -> "Former":
        """Unpack the folder, and make the tables by the former migrations."""
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(var, filter="data")
        kept = json.loads((var / "tables.json").read_text())["tables"]
        former = cls(var, tuple(KeptTable.model_validate(one) for one in kept))
        run(former._make_tables(address))
        return former

    async def _make_tables(self, address: StoreAddress) -> None:
        await create_database(address)
        store, rows = ClickHouseStore(address), BinaryRows(address)
        await apply(store, discover(self.var / "services"))
        for table in self.tables:
            await copy_in(store, rows, table, self.var, lambda _: None)
        await rows.close()
        await store.close()
