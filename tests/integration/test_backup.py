"""`alphastocks backup` and `restore` on a real ClickHouse and the journal of `up`."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from libs.events.embedded.journal import Journal
from tests.integration.commands import alphastocks, settings_file
from tests.integration.former import SETTINGS, Former
from tests.integration.houses import House
from tests.integration.processes import asked

TABLES = ("decisions", "historical_data", "options_data", "orders", "positions", "trading_signals")


class Backups:
    """A house with the state of a small day, and the commands on it."""

    def __init__(
        self,
        house: House,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.house, self._monkeypatch, self._capsys = house, monkeypatch, capsys
        self.former = Former.unpacked(house.folder / "tmp", house.address)
        other = replace(house.address, database=f"{house.address.database}_other")
        (house.folder / "other").mkdir()
        self.other = House(house.folder / "other", other, house.first_port)
        settings_file(self.other.folder, other, f"[runtime]\nport = {house.first_port}\n{SETTINGS}")
        self.folder = house.folder / "backup"

    def run(self, *words: object) -> tuple[int, str]:
        """Run a command and return its status and all that it said."""
        self._capsys.readouterr()
        status = alphastocks(self._monkeypatch, *words)
        said = self._capsys.readouterr()
        return status, said.out + said.err

    def backup(self) -> tuple[int, str]:
        config = self.house.folder / "alphastocks.toml"
        var = self.house.folder / "tmp"
        return self.run("backup", self.folder, "--config", config, "--var", var)

    def restore(self, *words: object, into: House | None = None) -> tuple[int, str]:
        house = into or self.other
        config, var = house.folder / "alphastocks.toml", house.folder / "tmp"
        return self.run("restore", self.folder, "--config", config, "--var", var, *words)

    def made(self) -> "Backups":
        status, said = self.backup()
        assert status == 0, said
        return self

    def change_manifest(self, change: Callable[[dict[str, Any]], None]) -> None:
        path = self.folder / "manifest.json"
        manifest = json.loads(path.read_text())
        change(manifest)
        path.write_text(json.dumps(manifest))

    def settings(self, house: House, more: str) -> None:
        """Write the settings of a house anew, without a database's name."""
        settings_file(house.folder, replace(house.address, database=""), more)

    def nothing_was_written(self) -> bool:
        """Whether the other house has neither a folder of `up` nor a database."""
        databases = [name for (name,) in self.house.rows("SELECT name FROM system.databases")]
        has_database = self.other.address.database in databases
        return not (has_database or (self.other.folder / "tmp").exists())


@pytest.fixture
def backups(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    made = Backups(house, monkeypatch, capsys)
    yield made
    house.rows(f"DROP DATABASE IF EXISTS `{made.other.address.database}` SYNC")


def digests(backups: Backups, house: House) -> dict[str, tuple[Any, ...]]:
    """Count and checksum of each table's rows, in the columns that the backup knew."""
    sql = "SELECT count(), sum(cityHash64({})) FROM {} FINAL"
    columns = {
        one.name: ", ".join(f"`{name}`" for name in one.columns) for one in backups.former.tables
    }
    return {table: house.rows(sql.format(columns[table], table))[0] for table in TABLES}


def journal_of(house: House) -> tuple[list[Any], dict[Any, int]]:
    journal = Journal(house.folder / "tmp" / "journal")
    journal.open()
    kept = list(journal.messages()), journal.offsets()
    journal.close()
    return kept


def test_what_is_restored_into_an_empty_place_is_equal_and_services_go_on_there(
    backups: Backups,
) -> None:
    house, other = backups.house, backups.other
    rows, journal, held = digests(backups, house), journal_of(house), house.open_positions()
    assert all(count for count, _ in rows.values())
    (house.folder / "tmp" / "market.json").write_text('{"seed": 11}')
    status, said = backups.made().restore()
    assert (status, "152 records of 11 partitions" in said) == (0, True), said
    assert (other.folder / "tmp" / "market.json").read_text() == '{"seed": 11}'
    (other.folder / "tmp" / "market.json").write_text('{"seed": 7}')
    assert digests(backups, other) == rows
    assert journal_of(other) == journal
    with other.up("--speed", 0.01) as process:
        other.wait_until_ready(process)
        assert "where it stopped" in process.out.read_text()
        assert asked(other.ports["position"], "/info")["open_positions"] == len(held) == 1
        assert process.end() == 0, process.last_words
    assert other.open_positions().keys() == held.keys()


def test_a_backup_holds_no_secret(backups: Backups) -> None:
    secret = backups.house.address.password
    (backups.house.folder / "tmp" / "simulator" / "session.json").write_text("a session")
    files = [file for file in backups.made().folder.rglob("*") if file.is_file()]
    assert not any("session" in file.name for file in files)
    manifest = (backups.folder / "manifest.json").read_text()
    assert backups.house.address.user not in manifest
    assert not secret or secret not in manifest


@pytest.mark.parametrize("name", ["tables/orders/202606-00001.rows.gz", "topics/orders/3.jsonl.gz"])
def test_a_truncated_or_damaged_file_is_refused_by_name_before_anything_is_written(
    backups: Backups, name: str
) -> None:
    file = backups.made().folder / name
    whole = file.read_bytes()
    for content, why in ((whole[:-1], "truncated"), (whole[:-1] + b"?", "damaged")):
        file.write_bytes(content)
        status, said = backups.restore()
        assert status == 2
        assert f"{file}: " in said
        assert why in said
    file.unlink()
    assert f"{file}: missing" in backups.restore()[1]
    assert backups.nothing_was_written()


def test_an_interrupted_backup_is_refused(backups: Backups) -> None:
    (backups.made().folder / "manifest.json").unlink()
    status, said = backups.restore()
    assert (status, "an interrupted backup" in said) == (2, True)
    assert "not empty: name a new folder" in backups.backup()[1]
    assert "no such folder" in backups.run("restore", "absent")[1]
    assert backups.nothing_was_written()


def test_a_manifest_of_another_version_or_bus_is_refused(backups: Backups) -> None:
    newer = {"service": "position", "number": 99, "sha256": "0"}
    changes: tuple[tuple[Callable[[dict[str, Any]], None], str], ...] = (
        (lambda one: one["migrations"].append(newer), "position/0099: a migration of a newer"),
        (lambda one: one.update(format=2), "format 2; this version reads 1"),
        (lambda one: one.update(rows=2), "damaged: rows"),
        (lambda one: one.pop("offsets"), "damaged: offsets"),
    )
    whole = (backups.made().folder / "manifest.json").read_text()
    for change, said in changes:
        (backups.folder / "manifest.json").write_text(whole)
        backups.change_manifest(change)
        assert said in backups.restore()[1]
    assert backups.nothing_was_written()


def test_nothing_is_restored_over_data(backups: Backups) -> None:
    before = digests(backups, backups.made().house)
    status, said = backups.restore(into=backups.house)
    assert (status, "journal: exists: move it away" in said) == (2, True), said
    full = replace(backups.other, address=backups.house.address)
    settings_file(full.folder, full.address)
    status, said = backups.restore(into=full)
    assert (status, "is not empty: decisions (1 rows)" in said) == (2, True), said
    assert digests(backups, backups.house) == before
    assert not (full.folder / "tmp" / "journal").exists()


def test_a_part_is_restored_alone(backups: Backups) -> None:
    rows, journal = digests(backups, backups.made().house), journal_of(backups.house)
    status, said = backups.restore("--only", "tables")
    assert (status, "Restored the tables of the backup" in said) == (0, True), said
    assert f"into database {backups.other.address.database} at " in said
    assert "The writers go on where the bus is" in said
    assert re.search(r": [\d,]+ rows of \d+ tables, ", said), said
    assert ("records" in said, "resume" in said) == (False, False), said
    assert digests(backups, backups.other) == rows
    assert not (backups.other.folder / "tmp").exists()
    status, said = backups.restore("--only", "topics")
    assert (status, "152 records of 11 partitions" in said) == (0, True), said
    assert f"into the journal {backups.other.folder / 'tmp' / 'journal'}: " in said
    assert ("rows" in said, "they resume where they were" in said) == (False, True), said
    assert journal_of(backups.other) == journal


def test_rows_older_than_their_table_keeps_them_are_restored_all_the_same(
    backups: Backups,
) -> None:
    backups.house.rows(
        "ALTER TABLE trading_signals UPDATE inserted_at = now() - INTERVAL 20 YEAR WHERE true"
        " SETTINGS mutations_sync = 1"
    )
    settings_file(backups.other.folder, backups.other.address, "ttl = true\n")
    rows = digests(backups, backups.made().house)
    status, said = backups.restore("--only", "tables")
    assert status == 0, said
    assert digests(backups, backups.other) == rows
    deleting = (
        "SELECT count() FROM system.tables WHERE database = '{}' AND engine_full LIKE '% TTL %'"
    )
    assert backups.house.rows(deleting.format(backups.other.address.database)) == [(0,)]


def test_a_backup_names_what_it_is_of_and_its_database_is_the_one_restored(
    backups: Backups,
) -> None:
    status, said = backups.backup()
    journal, name = backups.house.folder / "tmp" / "journal", backups.house.address.database
    assert f"of the journal {journal} and database {name} at {backups.house.address.host}" in said
    backups.change_manifest(lambda one: one.update(database=backups.other.address.database))
    backups.settings(backups.other, "")
    status, said = backups.restore("--only", "tables")
    assert (status, f"into database {backups.other.address.database} at " in said) == (0, True)
    assert digests(backups, backups.other) == digests(backups, backups.house)


def test_a_backup_that_names_no_database_is_restored_into_one_that_is_named(
    backups: Backups,
) -> None:
    backups.made().change_manifest(lambda one: one.pop("database"))
    backups.settings(backups.other, "")
    status, said = backups.restore("--only", "tables")
    assert (status, "name it with --database" in said) == (2, True), said
    name = backups.other.address.database
    assert backups.restore("--only", "tables", "--database", name)[0] == 0


def test_a_market_that_is_there_is_not_replaced(backups: Backups) -> None:
    (backups.made().other.folder / "tmp").mkdir()
    market = backups.other.folder / "tmp" / "market.json"
    market.write_text('{"seed": 7}')
    status, said = backups.restore()
    assert (status, "market.json: exists: move it away" in said) == (2, True), said
    assert market.read_text() == '{"seed": 7}'


def test_a_backup_does_not_guess_which_of_two_buses_is_meant(
    backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    (backups.house.folder / "tmp" / "kafka").mkdir()
    status, said = backups.backup()
    assert (status, "both journal and kafka" in said) == (2, True), said
    (backups.house.folder / "tmp" / "kafka").rmdir()
    monkeypatch.setenv("ALPHASTOCKS_BUS__KIND", "kafka")
    status, said = backups.backup()
    assert (status, "the settings name Kafka" in said, "--var" in said) == (2, True, True), said
    assert not backups.folder.exists()


def test_a_place_without_anything_or_in_use_is_refused_and_no_folder_is_left(
    backups: Backups,
) -> None:
    config = backups.house.folder / "alphastocks.toml"
    status, said = backups.run("backup", backups.folder, "--config", config, "--var", Path("none"))
    assert (status, "none: no bus in this folder" in said) == (2, True), said
    journal = Journal(backups.house.folder / "tmp" / "journal")
    journal.open()
    assert "in use by another alphastocks" in backups.backup()[1]
    journal.close()
    empty = f"empty_{uuid4().hex[:8]}"
    words = ("--config", config, "--var", backups.house.folder / "tmp", "--database", empty)
    assert "alphastocks: " in backups.run("backup", backups.folder, *words)[1]
    assert not backups.folder.exists()
