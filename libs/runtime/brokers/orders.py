"""The venue for orders. Only the executor may import this."""

from libs.broker.connector import Surroundings
from libs.broker.port.venue import Venue
from libs.runtime.brokers.registry import BrokerSections, connector


def connect_venue(name: str, sections: BrokerSections, around: Surroundings) -> Venue:
    """Return the venue of a broker; raise SettingsError for unusable settings."""
    return connector(name, sections, around).venue()
