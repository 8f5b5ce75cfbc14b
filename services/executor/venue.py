"""The venue that the executor's settings name."""

from libs.broker.errors import SessionError
from libs.broker.port.venue import Venue
from libs.runtime.brokers.orders import connect_venue
from libs.runtime.brokers.registry import BrokerSections
from libs.runtime.brokers.surroundings import surroundings
from libs.runtime.clock import Clock, ClockKind
from libs.runtime.metrics import Metrics
from libs.runtime.settings import KiteSettings
from services.executor.domain.live.outcome import VenueKind
from services.executor.settings import ExecutorSettings


def venue_kind(venue: Venue) -> VenueKind:
    """Return whose account takes the venue's orders."""
    if venue.is_real:
        return "real"
    return "simulator" if venue.may_lose_replies else "paper"


def has_session(venue: Venue) -> bool:
    """Return whether orders can be sent: there is a login, or none is needed."""
    try:
        venue.session()
    except SessionError:
        return False
    return True


def make_venue(
    own: ExecutorSettings,
    kite: KiteSettings,
    kind: ClockKind,
    clock: Clock,
    metrics: Metrics | None = None,
) -> Venue:
    """Return the venue; SettingsError for settings that it cannot work with."""
    around = surroundings("executor", kind, clock, metrics)
    return connect_venue(own.venue_name, BrokerSections(kite=kite, paper=own.paper), around)
