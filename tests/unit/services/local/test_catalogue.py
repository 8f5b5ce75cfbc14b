"""The catalogue of services fits the folders, the settings and itself."""

from pathlib import Path

import pytest

from libs.runtime.settings import SECTIONS
from services.local.catalogue import NAMES, SERVICES, START_ORDER, Entry, entry_of
from services.local.settings import LocalSettings

ROOT = Path(__file__).parents[4]


def test_every_folder_of_a_service_is_in_the_catalogue() -> None:
    folders = {domain.parent.name for domain in (ROOT / "services").glob("*/domain")}
    assert folders - {"simulator"} == set(NAMES)


@pytest.mark.parametrize("entry", SERVICES, ids=NAMES)
def test_a_service_has_the_section_of_its_name_and_the_command_reads_it(entry: Entry) -> None:
    assert entry.name in entry.spec.settings.model_fields
    assert entry.name in SECTIONS
    assert issubclass(LocalSettings, entry.spec.settings)


def test_each_service_answers_at_a_port_of_its_own() -> None:
    assert sorted(entry.port_offset for entry in SERVICES) == list(range(len(SERVICES)))


def test_readers_start_before_ingest_and_strategy_starts_after_it() -> None:
    started = [entry.name for entry in START_ORDER]
    assert started == ["candle", "executor", "position", "signal", "ingest", "strategy"]


def test_the_services_that_send_orders_or_hold_positions_are_fenced() -> None:
    fences = {name: entry_of(name).spec.fence for name in NAMES}
    assert {name for name in NAMES if fences[name]} == {"executor", "position"}
    assert fences["executor"] == "executor"


def test_only_ingest_and_the_executor_read_the_account_at_kite() -> None:
    assert {entry.name for entry in SERVICES if entry.spec.uses_kite} == {"ingest", "executor"}
