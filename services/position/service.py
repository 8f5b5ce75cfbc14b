"""The position service: fills and ticks in, positions and exit requests out."""

from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from libs.runtime.consumer import Reaction, Subscription
from libs.runtime.service import Parts, Service
from services.position.domain.desk import PositionDesk
from services.position.domain.rows import performance_metrics, positions
from services.position.settings import PositionSettings


def make_service(settings: PositionSettings, parts: Parts) -> Service:
    """Return the service around a PositionDesk."""
    desk = PositionDesk(
        calendar=load_calendar(),
        rulebook=load_rulebook(),
        rules=settings.exits,
        mark_every_ms=settings.mark_every_ms,
    )
    fills = Subscription(
        group="position",
        topics=("orders", "ticks"),
        handler=Reaction(lambda event: desk.on_event(event, parts.clock.now_ms()), desk.restore),
        restore_topics=("positions", "exit_requests"),
        is_atomic=True,
    )
    tables = {
        "positions": (("positions",), positions),
        "performance_metrics": (("performance",), performance_metrics),
    }
    return Service(
        name="position",
        subscriptions=(fills, *parts.writers("position", tables)),
        describe=lambda: {"open_positions": len(desk.open_tokens)},
    )
