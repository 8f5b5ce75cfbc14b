"""A real ClickHouse server for the tests, and a fresh database for each of them."""

from asyncio import run
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from libs.store.clickhouse import ClickHouseStore, create_database
from libs.store.store import StoreAddress
from services.local.catalogue import SERVICES
from tests.integration.houses import SMALL, House
from tests.integration.processes import free_ports
from tests.servers import running_clickhouse


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    """Where a real ClickHouse is."""
    with running_clickhouse(tmp_path_factory.mktemp("clickhouse")) as address:
        yield address


@pytest.fixture
def database(clickhouse_server: StoreAddress) -> Iterator[StoreAddress]:
    """The address of a database that is dropped after the test."""
    address = replace(clickhouse_server, database=f"test_{uuid4().hex}")
    run(create_database(address))
    yield address
    run(_drop(address))


@pytest.fixture
def store(database: StoreAddress) -> Iterator[ClickHouseStore]:
    """A store in a database of its own."""
    store = ClickHouseStore(database)
    yield store
    run(store.close())


@pytest.fixture
def house(clickhouse_server: StoreAddress, tmp_path: Path) -> Iterator[House]:
    """A folder with settings for `up` on a small market, its database and its ports."""
    address = replace(clickhouse_server, database=f"test_up_{uuid4().hex[:8]}")
    made = House(tmp_path, address, free_ports(len(SERVICES)))
    made.set(SMALL)
    yield made
    run(_drop(address))


async def _drop(address: StoreAddress) -> None:
    store = ClickHouseStore(replace(address, database="default"))
    try:
        await store.execute(f"DROP DATABASE IF EXISTS `{address.database}` SYNC")
    finally:
        await store.close()
