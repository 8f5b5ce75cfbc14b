"""The position service: fills and ticks in, positions and exit requests out."""

from libs.events.event import Event
from libs.events.positions import PositionClosed
from libs.market.calendar import day_in_india, load_calendar
from libs.market.rulebook import load_rulebook
from libs.runtime.logs import logger_of
from libs.runtime.metrics import Metrics
from libs.runtime.service import Parts, Service
from libs.runtime.subscription import Every, Reaction, Subscription
from services.position.domain.alerts import Alerts
from services.position.domain.exit_rules.opposite_signal import OppositeSignal
from services.position.domain.exit_rules.settings import before_expiry, exit_rules
from services.position.domain.open_positions import OpenPositions
from services.position.domain.rows import performance_metrics, positions
from services.position.domain.seen_prices import PriceRules
from services.position.endpoints import Positions, positions_router
from services.position.settings import PositionSettings
from services.position.stored import StoredTrades

SWEEP_MS = 1000
"""How often each position is checked, by the service's clock, also without a tick."""
_LINK = (
    "/positions",
    "the open positions; /positions/closed and /positions/results are the others",
)


def make_service(settings: PositionSettings, parts: Parts) -> Service:
    """Return the service around OpenPositions."""
    held = OpenPositions(
        rulebook=load_rulebook(),
        rules=exit_rules(settings.exits, load_calendar()),
        mark_every_ms=settings.mark_every_ms,
        alerts=Alerts(expiry=before_expiry(settings.exits, load_calendar())),
        opposite=OppositeSignal(settings.exits.opposite_signal),
        prices=PriceRules(settings.prices.traded_within_ms, settings.prices.updated_within_ms),
    )
    warned = _Warned(held)
    fills = Subscription(
        group="position",
        topics=("orders", "ticks", "exit_requests", "signal_generated"),
        handler=Reaction(
            lambda event: _counted(held.on_event(event, parts.clock.now_ms()), parts.metrics),
            held.restore,
        ),
        restore_topics=("positions", "exit_requests"),
        timed=Every.reacting(SWEEP_MS, warned.on_time),
        is_atomic=True,
        handles_money=True,
    )
    tables = {
        "positions": (("positions",), positions),
        "performance_metrics": (("performance",), performance_metrics),
    }
    stored = StoredTrades(parts.store) if parts.store else None
    access = settings.reading.access
    return Service(
        name="position",
        stamps=parts.stamps,
        subscriptions=(fills, *parts.writers("position", tables)),
        describe=lambda: {
            "open_positions": len(held.open_tokens),
            "warnings": list(held.warnings(parts.clock.now_ms())),
        },
        measure=lambda: _measure(held, parts),
        router=positions_router(Positions(held, stored, parts.clock.now_ms), access),
        private={"positions": access} if access.tokens else {},
        links=(_LINK,),
    )


class _Warned:
    """Checks the positions each second, and logs each warning once."""

    def __init__(self, held: OpenPositions) -> None:
        self._held = held
        self._said: set[str] = set()

    def on_time(self, now_ms: int) -> tuple[Event, ...]:
        """Return what time alone asks for."""
        for warning in self._held.warnings(now_ms):
            if warning not in self._said:
                self._said.add(warning)
                logger_of("position").warning(warning)
        return self._held.on_time(now_ms)


def _counted(events: tuple[Event, ...], metrics: Metrics) -> tuple[Event, ...]:
    for event in events:
        if isinstance(event, PositionClosed):
            outcome = "win" if event.net > 0 else "loss"
            metrics.positions.closed.labels(outcome).inc()
    return events


def _measure(held: OpenPositions, parts: Parts) -> None:
    measured, now_ms = parts.metrics.positions, parts.clock.now_ms()
    today = day_in_india(now_ms)
    realised, unrealised = held.results(today)
    measured.open.set(len(held.open_tokens))
    measured.unguarded.set(held.unguarded(now_ms))
    measured.over_night.set(held.over_night)
    measured.calendar_days_left.set(held.calendar_days_left(now_ms))
    measured.rule_days_left.set(held.rule_days_left(now_ms))
    measured.realised.set(float(realised))
    measured.unrealised.set(float(unrealised))
