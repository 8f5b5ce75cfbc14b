"""Today's code on the state of a former version: see `former.py`."""

from libs.events.codec import event_of
from libs.events.embedded.journal import Journal
from services.local.play.database import migrations
from tests.integration.former import SETTINGS, Former
from tests.integration.houses import House
from tests.integration.processes import asked

DIGEST = "SELECT count(), sum(cityHash64({})) FROM {} FINAL"

NO_STOP = "\n[executor.resting_stop]\nis_on = false\n"
"""This version would place a stop for what the former one holds, a row more among the orders."""


def test_the_journal_of_the_former_version_can_be_read_to_the_last_message(house: House) -> None:
    former = Former.unpacked(house.folder / "tmp", house.address)
    journal = Journal(former.var / "journal")
    journal.open()
    read = [event_of(message).type for message in journal.messages()]
    journal.close()
    assert {"PositionOpened", "OrderFilled", "ExecutionDecided", "CandleBatch"} <= set(read)


def test_up_goes_on_where_the_former_version_stopped_and_keeps_its_rows(house: House) -> None:
    former = Former.unpacked(house.folder / "tmp", house.address)
    house.set(SETTINGS + NO_STOP)
    before = {table.name: _digest(house, former, table.name) for table in former.tables}
    held, stopped_ms = house.open_positions(), house.last_minute()
    assert len(held) == 1
    with house.up("--speed", 0.01) as process:
        house.wait_until_ready(process)
        assert "where it stopped" in process.out.read_text()
        assert asked(house.ports["position"], "/info")["open_positions"] == 1
        assert process.end() == 0, process.last_words
    assert house.open_positions().keys() == held.keys()
    assert house.last_minute() == stopped_ms
    applied = house.rows("SELECT service, number FROM schema_migrations FINAL")
    assert set(applied) == {(one.service, one.number) for one in migrations()}
    for table in ("orders", "decisions", "strategy_signals", "trading_signals"):
        assert _digest(house, former, table) == before[table]


def _digest(house: House, former: Former, table: str) -> tuple[int, ...]:
    """Count and checksum of a table's rows, in the columns that the former version knew."""
    (kept,) = (one for one in former.tables if one.name == table)
    columns = ", ".join(f"`{name}`" for name in kept.columns)
    ((count, digest),) = house.rows(DIGEST.format(columns, table))
    return count, digest
