"""Tables on a cluster: made once, kept by each replica, with the same files."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from libs.runtime.settings import StoreSettings
from libs.store.clickhouse import ClickHouseStore
from libs.store.errors import StoreRejected
from libs.store.store import StoreAddress
from services.local.play.database import migrations, open_database
from tests.zookeeper.replicas import CLUSTER, two_replicas

DATABASE = "on_replicas"
TABLES = "SELECT name, engine FROM system.tables WHERE database = currentDatabase() ORDER BY name"


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[StoreAddress]]:
    with two_replicas(tmp_path_factory.mktemp("replicas")) as addresses:
        yield addresses


def settings_of(address: StoreAddress, cluster: str = CLUSTER) -> StoreSettings:
    return StoreSettings(
        host=address.host,
        port=address.port,
        user=address.user,
        password=SecretStr(address.password),
        database=DATABASE,
        ttl=True,
        cluster=cluster,
    )


async def migrated(address: StoreAddress, cluster: str = CLUSTER) -> None:
    async with open_database(settings_of(address, cluster), Path(), DATABASE):
        pass


async def engines(address: StoreAddress) -> dict[str, str]:
    store = ClickHouseStore(replace(address, database=DATABASE))
    try:
        found = await store.query(TABLES)
    finally:
        await store.close()
    return dict(zip(found["name"], found["engine"], strict=True))


def test_the_tables_are_on_each_replica_and_a_second_migration_changes_nothing(
    replicas: list[StoreAddress],
) -> None:
    async def story() -> None:
        await migrated(replicas[0])
        made = [await engines(address) for address in replicas]
        assert made[0] == made[1]
        assert set(made[0].values()) == {"ReplicatedReplacingMergeTree"}
        wanted = sum(sql.startswith("CREATE TABLE") for m in migrations() for sql in m.statements)
        assert len(made[0]) == wanted + 1, "and the table of migrations"
        await migrated(replicas[1])
        assert await engines(replicas[0]) == made[0]

    asyncio.run(story())


def test_what_one_replica_takes_the_other_has_once(replicas: list[StoreAddress]) -> None:
    async def story() -> None:
        await migrated(replicas[0])
        stores = [ClickHouseStore(replace(one, database=DATABASE)) for one in replicas]
        rows: dict[str, list[str] | list[int]] = {
            "strategy": ["cross"] * 2,
            "underlying": ["NIFTY", "SBIN"],
            "trades": [1, 2],
        }
        for store in stores:  # the second is a repeat, as after a writer's restart
            await store.insert("performance_metrics", rows)
        for store in stores:
            await store.execute("SYSTEM SYNC REPLICA performance_metrics")
            found = await store.query(
                "SELECT underlying, trades FROM performance_metrics FINAL ORDER BY underlying"
            )
            assert found == {"underlying": ["NIFTY", "SBIN"], "trades": [1, 2]}
        for store in stores:
            await store.close()

    asyncio.run(story())


def test_the_name_of_a_cluster_is_no_statement(replicas: list[StoreAddress]) -> None:
    with pytest.raises(StoreRejected, match="is not a valid cluster name"):
        asyncio.run(migrated(replicas[0], "a' ENGINE = Memory --"))
