"""What the pages and tables say of the house is so."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from libs.events.embedded.bus import LocalBus
from libs.events.topics import TOPICS
from libs.runtime.clock import FeedClock
from libs.runtime.metrics import Metrics
from libs.runtime.service import Parts, Service
from libs.runtime.settings import SECTIONS, load_settings
from libs.runtime.subscription import Subscription
from services.ingest import service as ingest
from services.ingest.feed import Feed
from services.local.catalogue import NAMES, SERVICES
from services.local.settings import LocalSettings
from tests.unit.fakes import EmptyFeed, ForgetfulStore

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built() -> dict[str, Service]:
    """Each service as it is built with a store."""
    own = LocalSettings()
    parts = Parts(LocalBus(), FeedClock(), Metrics("test"), ForgetfulStore())
    feed: Feed = EmptyFeed()

    async def pace(_: int) -> None:
        """Wait for nothing."""

    makers: dict[str, Callable[[Parts], Service]]
    makers = {entry.name: partial(entry.spec.make, own) for entry in SERVICES}
    makers["ingest"] = lambda parts: ingest.make_service(feed, parts, pace)
    made = {name: make(parts) for name, make in makers.items()}
    assert [service.name for service in made.values()] == list(made)
    return made


def is_writer(group: Subscription) -> bool:
    return ".writer." in group.group


def readers_of(topic: str, built: dict[str, Service]) -> set[str]:
    """Return who subscribes to a topic, or restores from it, in the words of the table."""
    readers = set()
    for name, service in built.items():
        if topic in service.looks_up:
            readers.add(name)
        for group in service.subscriptions:
            if topic in group.topics or topic in group.restore_topics:
                readers.add(f"{name}'s writer" if is_writer(group) else name)
    return readers


@pytest.mark.parametrize("topic", [name for name in TOPICS if name != "control"])
def test_the_table_of_topics_names_whoever_reads_a_topic(
    topic: str, built: dict[str, Service]
) -> None:
    assert readers_of(topic, built) == set(TOPICS[topic].read_by)


def table_of_services() -> dict[str, list[set[str]]]:
    """Return what the README says that each service consumes, produces and stores."""
    row = re.compile(r"^\| \[(\w+)\]\(services/\1/README\.md\) \| (.*) \|$", re.MULTILINE)
    rows = row.findall((ROOT / "README.md").read_text())
    return {
        name: [set(re.findall(r"`(\w+)`", cell)) for cell in cells.split("|")]
        for name, cells in rows
    }


def test_the_readme_has_a_row_for_each_service_in_the_order_of_the_catalogue() -> None:
    assert tuple(table_of_services()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_says_what_a_service_consumes_produces_and_stores(
    name: str, built: dict[str, Service]
) -> None:
    service = built[name]
    read = {topic for one in service.subscriptions if not is_writer(one) for topic in one.topics}
    written = {topic.name for topic in TOPICS.values() if name in topic.written_by}
    tables = {one.group.partition(".writer.")[2] for one in service.subscriptions if is_writer(one)}
    consumes, produces, stores = table_of_services()[name]
    assert consumes == read | set(service.looks_up)
    assert produces - {"control"} == written
    assert stores == tables


def test_every_table_that_is_stored_has_its_migration() -> None:
    for name, (*_, stores) in table_of_services().items():
        files = (ROOT / "services" / name / "migrations").glob("*.sql")
        text = "".join(file.read_text() for file in files)
        made = set(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", text))
        assert made == stores, name


def test_the_settings_file_shows_the_defaults(tmp_path: Path) -> None:
    shown = (ROOT / "config" / "alphastocks.toml").read_text()
    chosen = tmp_path / "alphastocks.toml"
    chosen.write_text(re.sub(r"^#(?=\S)", "", shown, flags=re.MULTILINE))
    assert load_settings(LocalSettings, chosen) == LocalSettings()
    assert chosen.read_text() != shown


def test_the_settings_file_as_it_is_changes_nothing() -> None:
    file = ROOT / "config" / "alphastocks.toml"
    assert load_settings(LocalSettings, file) == LocalSettings()


def test_every_section_of_the_settings_belongs_to_somebody() -> None:
    assert set(LocalSettings.model_fields) == set(SECTIONS)


def test_every_variable_of_the_example_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    for line in (line for line in lines if "=" in line):
        name, _, value = line.partition("=")
        section, key = name.removeprefix("ALPHASTOCKS_").lower().split("__")
        settings = LocalSettings.model_fields[section].default
        assert key in type(settings).model_fields
        monkeypatch.setenv(name, value)
    assert load_settings(LocalSettings, None) == LocalSettings()


@pytest.mark.parametrize("name", NAMES)
def test_every_service_has_the_same_shape(name: str) -> None:
    folder = ROOT / "services" / name
    for part in ("README.md", "__main__.py", "settings.py", "service.py", "domain", "migrations"):
        assert (folder / part).exists(), part
