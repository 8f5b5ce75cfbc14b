"""What the pages and tables say of the house is so."""

import re
from pathlib import Path

import pytest

from libs.broker.paper import PaperBroker
from libs.events.embedded.bus import LocalBus
from libs.events.topics import TOPICS
from libs.runtime.clock import FeedClock
from libs.runtime.metrics import Metrics
from libs.runtime.service import Parts, Service
from libs.runtime.settings import SECTIONS, load_settings
from services.candle import service as candle
from services.executor import service as executor
from services.ingest import service as ingest
from services.ingest.feed import Feed
from services.local.settings import LocalSettings
from services.position import service as position
from services.signal import service as signal
from services.strategy import service as strategy
from tests.unit.fakes import EmptyFeed, ForgetfulStore

ROOT = Path(__file__).parents[2]
SERVICES = ("ingest", "candle", "strategy", "signal", "executor", "position")


@pytest.fixture(scope="module")
def built() -> dict[str, Service]:
    """Each service as it is built with a store."""
    own = LocalSettings()
    parts = Parts(LocalBus(), FeedClock(), Metrics("test"), ForgetfulStore())
    feed: Feed = EmptyFeed()

    async def pace(_: int) -> None:
        """Wait for nothing."""

    made = (
        ingest.make_service(feed, parts, pace),
        candle.make_service(own.candle, parts),
        strategy.make_service(own.strategy, parts),
        signal.make_service(own.signal, parts),
        executor.make_service(own.executor, parts, PaperBroker(own.executor.paper)),
        position.make_service(own.position, parts),
    )
    return {service.name: service for service in made}


def readers_of(topic: str, built: dict[str, Service]) -> set[str]:
    """Return who subscribes to a topic, or restores from it, in the words of the table."""
    readers = set()
    for name, service in built.items():
        if topic in service.looks_up:
            readers.add(name)
        for group in service.subscriptions:
            if topic in group.topics or topic in group.restore_topics:
                is_writer = ".writer." in group.group
                readers.add(f"{name}'s writer" if is_writer else name)
    return readers


@pytest.mark.parametrize("topic", [name for name in TOPICS if name != "control"])
def test_the_table_of_topics_names_whoever_reads_a_topic(
    topic: str, built: dict[str, Service]
) -> None:
    assert readers_of(topic, built) == set(TOPICS[topic].read_by)


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


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_the_same_shape(name: str) -> None:
    folder = ROOT / "services" / name
    for part in ("README.md", "__main__.py", "settings.py", "service.py", "domain", "migrations"):
        assert (folder / part).exists(), part


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_lock_files_carry_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    pinned = [line for line in text.splitlines() if re.match(r"[a-z0-9].*==", line)]
    assert len(pinned) > 20
    assert text.count("--hash=sha256:") >= len(pinned)
