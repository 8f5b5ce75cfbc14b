"""The database of a run: at the address in the settings, or on an own server under `var/`."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import services
from libs.runtime.process import store_address
from libs.runtime.settings import StoreSettings
from libs.servers.clickhouse.server import LocalServer
from libs.store.clickhouse import ClickHouseStore, create_database
from libs.store.migrate import Migration, apply, apply_ttls, discover
from libs.store.store import StoreAddress

SERVER_FOLDER = "clickhouse"


def migrations() -> list[Migration]:
    """Return the migrations of all services."""
    return discover(Path(services.__file__).parent)


def database_of(kind: str, inputs: Mapping[str, Any]) -> str:
    """Return a database name for a run: runs share one only if their inputs are equal."""
    text = json.dumps(inputs, sort_keys=True, default=str)
    return f"{kind}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"


@asynccontextmanager
async def open_database(
    settings: StoreSettings, var: Path, database: str
) -> AsyncIterator[StoreAddress]:
    """Yield the address of a database with all migrations; stop an own server at the end."""
    async with AsyncExitStack() as stack:
        if settings.host:
            address = store_address(settings)
        else:
            server = await stack.enter_async_context(LocalServer(var / SERVER_FOLDER))
            address = server.address
        address = replace(address, database=settings.database or database)
        await create_database(address, settings.cluster)
        async with _store_at(address) as store:
            await apply(store, migrations(), is_replicated=bool(settings.cluster))
            await apply_ttls(store, migrations(), settings.ttl)
        yield address


@asynccontextmanager
async def open_store(
    settings: StoreSettings, var: Path, database: str
) -> AsyncIterator[ClickHouseStore]:
    """Yield a store whose tables are up to date; stop an own server at the end."""
    async with open_database(settings, var, database) as address, _store_at(address) as store:
        yield store


@asynccontextmanager
async def _store_at(address: StoreAddress) -> AsyncIterator[ClickHouseStore]:
    store = ClickHouseStore(address)
    try:
        yield store
    finally:
        await store.close()
