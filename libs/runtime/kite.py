"""Kite's address and REST client, made from the settings."""

from libs.broker.kite.address import KiteAddress
from libs.broker.kite.connector import KiteConnector
from libs.broker.kite.rest import KiteRest
from libs.runtime.brokers.surroundings import surroundings
from libs.runtime.clock import ClockKind, WallClock
from libs.runtime.settings import KiteSettings, SettingsError


def kite_address(settings: KiteSettings) -> KiteAddress:
    """Return the address in the settings; SettingsError without an API key or for a bad one."""
    try:
        return settings.address()
    except ValueError as error:
        raise SettingsError(str(error)) from None


def kite_rest(settings: KiteSettings, kind: ClockKind) -> KiteRest:
    """Return the REST client, limited by the rate limits of today."""
    kite_address(settings)
    return KiteConnector(settings, surroundings("local", kind, WallClock())).rest()
