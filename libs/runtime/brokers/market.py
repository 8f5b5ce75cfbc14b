"""The source of market data."""

from libs.broker.connector import MarketConnector, Surroundings
from libs.runtime.brokers.registry import BrokerSections, connector
from libs.runtime.settings import SettingsError


def connect_market(name: str, sections: BrokerSections, around: Surroundings) -> MarketConnector:
    """Return the connector of a broker with market data; SettingsError for one without."""
    found = connector(name, sections, around)
    if not isinstance(found, MarketConnector):
        raise SettingsError(f"ingest.source: {name} has no market data: name another broker")
    return found
