"""The position service: fills and ticks in, positions and exit requests out."""

from libs.events.event import Event, utc_from_ms
from libs.events.positions import PositionClosed
from libs.market.calendar import IST, load_calendar
from libs.market.rulebook import load_rulebook
from libs.runtime.metrics import Metrics
from libs.runtime.service import Parts, Service
from libs.runtime.subscription import Every, Reaction, Subscription
from services.position.domain.exit_rules.settings import exit_rules
from services.position.domain.open_positions import OpenPositions
from services.position.domain.rows import performance_metrics, positions
from services.position.settings import PositionSettings

SWEEP_MS = 1000
"""How often each position is checked, by the service's clock, also without a tick."""


def make_service(settings: PositionSettings, parts: Parts) -> Service:
    """Return the service around OpenPositions."""
    held = OpenPositions(
        rulebook=load_rulebook(),
        rules=exit_rules(settings.exits, load_calendar()),
        mark_every_ms=settings.mark_every_ms,
    )
    fills = Subscription(
        group="position",
        topics=("orders", "ticks"),
        handler=Reaction(
            lambda event: _counted(held.on_event(event, parts.clock.now_ms()), parts.metrics),
            held.restore,
        ),
        restore_topics=("positions", "exit_requests"),
        timed=Every.reacting(SWEEP_MS, held.on_time),
        is_atomic=True,
        handles_money=True,
    )
    tables = {
        "positions": (("positions",), positions),
        "performance_metrics": (("performance",), performance_metrics),
    }
    return Service(
        name="position",
        stamps=parts.stamps,
        subscriptions=(fills, *parts.writers("position", tables)),
        describe=lambda: {"open_positions": len(held.open_tokens)},
        measure=lambda: _measure(held, parts),
    )


def _counted(events: tuple[Event, ...], metrics: Metrics) -> tuple[Event, ...]:
    for event in events:
        if isinstance(event, PositionClosed):
            outcome = "win" if event.net > 0 else "loss"
            metrics.positions.closed.labels(outcome).inc()
    return events


def _measure(held: OpenPositions, parts: Parts) -> None:
    measured, now_ms = parts.metrics.positions, parts.clock.now_ms()
    today = utc_from_ms(now_ms).astimezone(IST).date()
    realised, unrealised = held.results(today)
    measured.open.set(len(held.open_tokens))
    measured.unguarded.set(held.unguarded(now_ms))
    measured.realised.set(float(realised))
    measured.unrealised.set(float(unrealised))
