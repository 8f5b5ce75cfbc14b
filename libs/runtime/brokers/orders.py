"""Where orders go. Only the executor may import this."""

from libs.broker.connector import Surroundings
from libs.broker.port.venue import Venue
from libs.runtime.brokers.registry import BrokerSections, connector


def connect_venue(name: str, sections: BrokerSections, around: Surroundings) -> Venue:
    """Return the venue of a broker; SettingsError for settings that it cannot work with."""
    return connector(name, sections, around).venue()
