"""The registry: a name in the settings becomes a broker, and nothing else is loaded."""

import subprocess
import sys

import pytest

from libs.broker.connector import MarketConnector, Surroundings
from libs.broker.kite.settings import KiteSettings
from libs.broker.kite.venue import KiteVenue, SimulatorVenue
from libs.broker.paper import PaperBroker
from libs.broker.port import MarketData, Sessions, TickStream, Venue
from libs.runtime.brokers.market import connect_market
from libs.runtime.brokers.orders import connect_venue
from libs.runtime.brokers.registry import CONNECTORS, BrokerSections
from libs.runtime.brokers.surroundings import surroundings
from libs.runtime.clock import FeedClock
from libs.runtime.settings import SettingsError

SECTIONS = BrokerSections(kite=KiteSettings(api_key="key"))


def around() -> Surroundings:
    return surroundings("test", "feed", FeedClock())


@pytest.mark.parametrize(
    ("name", "kind"), [("paper", PaperBroker), ("simulator", SimulatorVenue), ("kite", KiteVenue)]
)
def test_a_name_stands_for_one_venue(name: str, kind: type[Venue]) -> None:
    assert type(connect_venue(name, SECTIONS, around())) is kind


def test_every_name_that_is_tested_is_in_the_registry_and_no_other() -> None:
    assert list(CONNECTORS) == ["paper", "simulator", "kite"]


@pytest.mark.parametrize("name", ["simulator", "kite"])
def test_a_broker_with_a_market_makes_each_of_its_parts(name: str) -> None:
    broker: MarketConnector = connect_market(name, SECTIONS, around())
    sessions: Sessions = broker.sessions()
    market_data: MarketData = broker.market_data()
    stream: TickStream = broker.tick_stream()
    assert len({id(part) for part in (sessions, market_data, stream)}) == 3


def test_paper_has_no_market() -> None:
    with pytest.raises(SettingsError, match=r"ingest\.source: paper has no market data"):
        connect_market("paper", SECTIONS, around())


@pytest.mark.parametrize(
    ("sections", "name", "reason"),
    [
        (BrokerSections(), "kite", r"kite\.api_key: needed to talk to Kite"),
        (SECTIONS, "upstox", "no broker is called 'upstox'; known: paper, simulator, kite"),
        (
            BrokerSections(kite=KiteSettings(api_key="key", root="nowhere")),
            "kite",
            r"kite\.root must be https://host",
        ),
    ],
)
def test_what_cannot_be_connected_names_the_key(
    sections: BrokerSections, name: str, reason: str
) -> None:
    with pytest.raises(SettingsError, match=reason):
        connect_venue(name, sections, around())


PAPER_ALONE = """
import sys
from libs.runtime.brokers.orders import connect_venue
from libs.runtime.brokers.registry import BrokerSections
from libs.runtime.brokers.surroundings import surroundings
from libs.runtime.clock import FeedClock
connect_venue("paper", BrokerSections(), surroundings("test", "feed", FeedClock()))
print([name for name in ("kiteconnect", "libs.broker.kite.rest") if name in sys.modules])
"""


def test_who_chooses_paper_loads_nothing_of_kites_client() -> None:
    command = [sys.executable, "-c", PAPER_ALONE]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"
