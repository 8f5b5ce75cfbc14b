"""What the executor's doctor asks of a real ClickHouse."""

from asyncio import run

from libs.store.clickhouse import ClickHouseStore
from services.executor.examination import database_seen


def test_a_database_says_how_much_room_it_has_and_that_it_may_be_written(
    store: ClickHouseStore,
) -> None:
    free, error, is_read_only = run(database_seen(store))
    assert (free or 0) > 0
    assert (error, is_read_only) == ("", False)
