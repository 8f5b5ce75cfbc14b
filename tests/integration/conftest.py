"""A real ClickHouse server for the tests, and a fresh database for each of them."""

import os
from asyncio import run
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import pytest

from libs.store.clickhouse import ClickHouseStore, create_database
from libs.store.errors import ServerMissing
from libs.store.local_server import LocalServer, find_program
from libs.store.store import StoreAddress
from tests.integration.commands import settings_file
from tests.integration.houses import SERVICES, House
from tests.integration.processes import free_ports

SERVER_VARIABLE = "ALPHASTOCKS_TEST_CLICKHOUSE"  # clickhouse://user:password@host:port


def pytest_report_collectionfinish() -> str:
    """Say which server the tests use."""
    url = os.environ.get(SERVER_VARIABLE)
    if url:
        return f"clickhouse: {urlsplit(url).hostname}:{urlsplit(url).port or 9000}"
    try:
        return f"clickhouse: a server of our own from {find_program()}"
    except ServerMissing as error:
        return f"clickhouse: {error}"


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    """The address of the server that the environment names, or of one of our own."""
    url = os.environ.get(SERVER_VARIABLE)
    if url:
        yield _address(url)
        return
    with LocalServer(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server.address


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
    """A folder with settings for `up`, its database and its ports."""
    address = replace(clickhouse_server, database=f"test_up_{uuid4().hex[:8]}")
    first_port = free_ports(len(SERVICES))
    settings_file(tmp_path, address, f"[runtime]\nport = {first_port}\n")
    yield House(tmp_path, address, first_port)
    run(_drop(address))


def _address(url: str) -> StoreAddress:
    parts = urlsplit(url)
    return StoreAddress(
        parts.hostname or "127.0.0.1",
        parts.port or 9000,
        unquote(parts.username or "default"),
        unquote(parts.password or ""),
    )


async def _drop(address: StoreAddress) -> None:
    store = ClickHouseStore(replace(address, database="default"))
    try:
        await store.execute(f"DROP DATABASE IF EXISTS `{address.database}` SYNC")
    finally:
        await store.close()
