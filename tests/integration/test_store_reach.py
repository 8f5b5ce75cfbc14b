"""What a query of the services may reach."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from libs.servers.clickhouse.server import LocalServer
from tests.integration.processes import free_ports

ROOT = Path(__file__).parents[2]
ELSEWHERE = (
    "SELECT * FROM url('http://127.0.0.1:{port}/x', CSV, 'a String')",
    "INSERT INTO FUNCTION url('http://127.0.0.1:{port}/x', CSV, 'a String') SELECT 'mine'",
    "CREATE TABLE mine.sent (a String) ENGINE = URL('http://127.0.0.1:{port}/x', CSV)",
    "SELECT * FROM s3('http://127.0.0.1:{port}/bucket/x', CSV, 'a String')",
    "SELECT * FROM remote('127.0.0.1:{port}', system.one)",
    "SELECT * FROM mysql('127.0.0.1:{port}', 'a', 'b', 'c', 'd')",
    "SELECT * FROM postgresql('127.0.0.1:{port}', 'a', 'b', 'c', 'd')",
    "SELECT * FROM file('/etc/passwd', CSV, 'a String')",
    "CREATE USER somebody",
    "GRANT ALL ON *.* TO alphastocks",
)
WORK = (
    "CREATE DATABASE mine",
    "CREATE TABLE mine.t (a Int32) ENGINE = ReplacingMergeTree ORDER BY a",
    "INSERT INTO mine.t SELECT number FROM numbers(10)",
    "ALTER TABLE mine.t ADD COLUMN b Int8",
    "OPTIMIZE TABLE mine.t FINAL",
    "SELECT count() FROM mine.t FINAL",
    "SELECT name FROM system.tables WHERE database = 'mine'",
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with LocalServer(tmp_path_factory.mktemp("store")) as server:
        address = server.address
        one = Client(address.host, address.port, user=address.user, password=address.password)
        for query in WORK:
            one.execute(query)
        yield one
        one.disconnect()


@pytest.mark.parametrize("query", ELSEWHERE)
def test_nothing_outside_of_the_servers_own_tables_is_reached(client: Client, query: str) -> None:
    port = free_ports(1)
    with pytest.raises(ServerException) as refused:
        client.execute(query.format(port=port))
    said = str(refused.value)
    assert re.search("Not enough privileges|not allowed in configuration file", said), said[:300]


@pytest.mark.parametrize(
    "file",
    [
        "deploy/clickhouse/config.d/reach.xml",
        "deploy/k8s/overlays/local/clickhouse.yaml",
        "deploy/k8s/overlays/production/clickhouse.yaml",
    ],
)
def test_every_deployment_keeps_the_same_bound(file: str) -> None:
    assert '<remote_url_allow_hosts replace="replace"/>' in (ROOT / file).read_text()
