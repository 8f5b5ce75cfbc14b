"""The signal service: validates strategy signals and tracks the state of each."""

from collections import Counter

from fastapi import APIRouter

from libs.events.event import Event
from libs.events.signals import SignalExpired, SignalUpdate
from libs.runtime.access import Access
from libs.runtime.metrics import SignalMetrics
from libs.runtime.service import Parts, Service
from libs.runtime.subscription import Reaction, Subscription, Timed
from services.signal.domain.life import STATE_AFTER, State
from services.signal.domain.rows import trading_signals
from services.signal.domain.signal_book import SignalBook
from services.signal.endpoints import Signals, signals_router
from services.signal.explaining import Stories, explain_router
from services.signal.settings import SignalSettings
from services.signal.stored import StoredSignals

OPEN: tuple[State, ...] = ("NEW", "VALIDATED", "ACTIVATED")
_LINK = (
    "/signals",
    "the signals of the latest day, newest first; /signals/ID is one's life, and /explain/ID/page "
    "its whole story",
)


def make_service(settings: SignalSettings, parts: Parts) -> Service:
    """Return the service around a SignalBook."""
    book, clock = SignalBook.of(settings.rules, settings.filters), parts.clock
    measured = parts.metrics.signals

    def react(event: Event) -> tuple[Event, ...]:
        if not isinstance(event, SignalUpdate):
            return book.on_event(event, clock.now_ms())
        if book.take(event) == "reached":
            _count(event, measured)
        return ()

    def expire() -> tuple[SignalExpired, ...]:
        expired = book.expire(clock.now_ms())
        for update in expired:
            _count(update, measured)
        return expired

    signals = Subscription(
        group="signal",
        topics=("strategy_signals", "signal_updates", "orders"),
        handler=Reaction(react, book.restore, book.restored),
        restore_topics=("signal_generated", "signal_updates", "orders"),
        timed=Timed(lambda: book.lives.overdue(clock.now_ms()), expire),
        handles_money=True,
    )
    tables = {"trading_signals": (("signal_generated", "signal_updates"), trading_signals)}
    stored = StoredSignals(parts.store) if parts.store else None
    access = settings.reading.access
    return Service(
        name="signal",
        subscriptions=(signals, *parts.writers("signal", tables)),
        describe=lambda: {"refused_transitions": book.refused_transitions},
        measure=lambda: _measure(book, measured),
        router=_router(Signals(book, stored), Stories(parts.bus), access),
        private=dict.fromkeys(("signals", "explain"), access) if access.tokens else {},
        links=(_LINK,),
    )


def _router(signals: Signals, stories: Stories, access: Access) -> APIRouter:
    router = APIRouter()
    router.include_router(signals_router(signals, access))
    router.include_router(explain_router(stories, access))
    return router


def _count(update: SignalUpdate, measured: SignalMetrics) -> None:
    measured.reached.labels(STATE_AFTER[type(update)], update.reason).inc()


def _measure(book: SignalBook, measured: SignalMetrics) -> None:
    states = Counter(life.state for life in book.lives.open())
    for state in OPEN:
        measured.open.labels(state).set(states[state])
