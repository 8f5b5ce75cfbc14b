"""The signal service: validates strategy signals and tracks the state of each."""

from libs.runtime.service import Parts, Service
from libs.runtime.subscription import Reaction, Subscription
from services.signal.domain.rows import trading_signals
from services.signal.domain.signal_book import SignalBook
from services.signal.settings import SignalSettings


def make_service(settings: SignalSettings, parts: Parts) -> Service:
    """Return the service around a SignalBook."""
    book = SignalBook(settings.rules)
    signals = Subscription(
        group="signal",
        topics=("strategy_signals", "signal_updates"),
        handler=Reaction(lambda event: book.on_event(event, parts.clock.now_ms()), book.restore),
        restore_topics=("signal_generated", "signal_updates"),
        handles_money=True,
    )
    tables = {"trading_signals": (("signal_generated", "signal_updates"), trading_signals)}
    return Service(
        name="signal",
        subscriptions=(signals, *parts.writers("signal", tables)),
        describe=lambda: {"refused_transitions": book.refused_transitions},
    )
