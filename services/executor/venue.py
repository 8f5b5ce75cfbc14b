"""The venue that the executor's settings name."""

from libs.broker.port.venue import Venue
from libs.runtime.brokers.orders import connect_venue
from libs.runtime.brokers.registry import BrokerSections
from libs.runtime.brokers.surroundings import surroundings
from libs.runtime.clock import Clock, ClockKind
from libs.runtime.metrics import Metrics
from libs.runtime.settings import KiteSettings
from services.executor.settings import ExecutorSettings


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
