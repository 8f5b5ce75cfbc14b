"""Where market data come from."""

from libs.broker.connector import MarketConnector, Surroundings
from libs.runtime.brokers.registry import BrokerSections, connector
from libs.runtime.settings import SettingsError


def connect_market(name: str, sections: BrokerSections, around: Surroundings) -> MarketConnector:
    """Return the connector of a broker that has a market; SettingsError for one that has none."""
    found = connector(name, sections, around)
    if not isinstance(found, MarketConnector):
        raise SettingsError(f"ingest.source: {name} has no market data: name another broker")
    return found
