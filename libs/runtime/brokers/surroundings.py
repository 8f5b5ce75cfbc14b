"""What a service's process gives to a connector."""

from libs.broker.connector import Surroundings
from libs.runtime.clock import Clock, ClockKind, WallClock
from libs.runtime.logs import logger_of
from libs.runtime.metrics import Metrics


def surroundings(
    service: str, kind: ClockKind, clock: Clock, metrics: Metrics | None = None
) -> Surroundings:
    """Return the surroundings of a service; with metrics its requests are counted."""
    return Surroundings(
        now_ms=clock.now_ms,
        wall_ms=WallClock().now_ms,
        is_today=kind == "wall",
        log=logger_of(service),
        note=metrics.note_request if metrics else None,
    )
