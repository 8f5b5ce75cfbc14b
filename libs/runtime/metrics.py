"""All metrics, each defined once; each service has its own registry.

`Metrics` holds those of all services. A class of its own holds those of one service; it is made
when that service asks for it, so that other services do not export it.
"""

from collections.abc import Mapping
from functools import cache, cached_property
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from libs.runtime.version import VERSION

_NAMESPACE = "alphastocks"
_SECONDS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30)


class Component(NamedTuple):
    """Whether a part of a service works, and whether the service is ready without it."""

    is_up: bool
    is_required: bool


class _Definitions:
    """Makes metrics of one registry, all in one namespace."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace=_NAMESPACE, registry=self._registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, namespace=_NAMESPACE, registry=self._registry)

    def _seconds(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(
            name, text, labels, namespace=_NAMESPACE, registry=self._registry, buckets=_SECONDS
        )


class FeedMetrics(_Definitions):
    """Metrics of ingest: whether market data arrives."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        # Wall-clock seconds since the last tick: more than a few in a session mean a dead feed.
        self.age = self._gauge("feed_age_seconds", "Time since the last tick arrived.")
        # 1 during the trading session by the service's clock: a silent feed is an alarm then.
        self.is_open = self._gauge("market_open", "Whether the market is in session.")
        # How far the machine's clock is ahead of the exchange's: over 2 s no position is opened.
        self.clock_offset = self._gauge(
            "clock_offset_seconds", "Machine's clock less the exchange's, 0 within a second."
        )
        # Frames and ticks of the feed.
        self.frames = self._counter("feed_frames", "Frames taken from the feed.")
        self.ticks = self._counter("feed_ticks", "Ticks taken from the feed.")
        # Requests for candles that are still to be made, before strategies have their history.
        self.history_left = self._gauge(
            "history_requests_left", "Requests for history that are still to be made."
        )
        # By connection: since it brought news last, how far its ticks are behind the exchange's
        # time, and what happened to it (reconnects, silences, refusals, broken_packets, ...).
        self.connection_age = self._gauge(
            "feed_connection_age_seconds", "Time since a connection brought news.", "connection"
        )
        self.connection_lag = self._gauge(
            "feed_connection_lag_seconds",
            "How far a connection is behind the exchange's time.",
            "connection",
        )
        self.connection_events = self._counter(
            "feed_connection_events", "What happened to a connection.", "connection", "what"
        )
        # 1 while every connection is silent although ticks are expected: nothing is opened.
        self.halted = self._gauge("feed_halted", "Whether every connection is silent.")
        # Instruments quoted by request in the websocket's place, and those beyond that.
        self.polled = self._gauge("feed_polled_instruments", "Instruments quoted by request.")
        self.unquoted = self._gauge(
            "feed_unquoted_instruments", "Instruments that are not quoted at all."
        )
        # Rows of the day's instrument dumps that could not be read; the log names line and column.
        self.rows_left_out = self._counter(
            "dump_rows_left_out", "Rows of the instrument dumps that could not be read."
        )
        # 1 for an instrument of the universe that is not in the day's dump: renamed, or no more.
        self.missing = self._gauge(
            "missing_instruments", "Instruments of the universe that the dump lacks.", "instrument"
        )


class StrategyMetrics(_Definitions):
    """Metrics of the strategy service."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        # Time of one strategy for the candles that close together, to find the slow one.
        self.seconds = self._seconds(
            "strategy_seconds", "Time of a strategy for the candles of one batch.", "strategy"
        )
        # Signals with levels on the wrong side or a number that is none: a bug of the strategy.
        self.refused = self._counter(
            "strategy_refused_signals", "Signals that were refused at their source.", "strategy"
        )
        # Instruments on which it is silent, for lack of history or after a gap.
        self.cold = self._gauge(
            "strategy_cold_instruments",
            "Instruments on which a strategy lacks history.",
            "strategy",
        )
        # 1 for a strategy that an error has stopped: it sends no signals until a restart.
        self.is_stopped = self._gauge(
            "strategy_stopped", "Whether an error has stopped a strategy.", "strategy"
        )


class SignalMetrics(_Definitions):
    """Metrics of the signal service."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        # States that signals reached, with the reason of the service that said so.
        self.reached = self._counter(
            "signals", "States that signals have reached.", "state", "reason"
        )
        # Signals that may go on: VALIDATED ones wait for the executor, ACTIVATED ones hold a
        # position.
        self.open = self._gauge("signals_open", "Signals that have not ended.", "state")


class TradingMetrics(_Definitions):
    """Metrics of the executor: whether it may trade, and its working orders."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        # 1 while no position may be opened: a person or a limit has halted trading.
        self.is_halted = self._gauge("trading_halted", "Whether trading is halted.")
        # By line of the doctor: 1 while it is well, as of the latest examination; 0 keeps live from
        # being armed. And how often the examination of the day has found something to mend.
        self.doctor = self._gauge("doctor_ok", "Whether a line of the doctor is well.", "line")
        self.doctor_failures = self._gauge(
            "doctor_failed_examinations", "Daily examinations that found a failure since the start."
        )
        # 1 while live entries may be sent: a person has armed them.
        self.armed = self._gauge("armed", "Whether live entries are armed.")
        # 1 for the current mode: disabled, logging_only, paper.
        self.mode = self._gauge("executor_mode", "The mode of the executor.", "mode")
        # Orders that may still fill.
        self.working = self._gauge("orders_working", "Orders that may still fill.")
        # Orders that may or may not have reached the broker: look at the order book.
        self.unresolved = self._gauge("orders_unresolved", "Orders that are in doubt.")
        # Seconds since our books and the account agreed last; 0 before the first comparison.
        self.reconciliation_age = self._gauge(
            "reconciliation_age_seconds", "Since books and account agreed last."
        )
        # Underlyings in which nothing is bought, since the account differs from our books.
        self.quarantined = self._gauge("underlyings_quarantined", "Underlyings without entries.")
        # Underlyings in which nothing is bought for a while: an entry was rejected for margin.
        self.margin_pauses = self._gauge(
            "underlyings_short_of_margin", "Underlyings without entries, for want of margin."
        )
        # Net loss today (0 in profit), open positions at marks; and the loss that ends the day.
        self.day_loss = self._gauge("day_loss_rupees", "Net loss of the day, open ones at marks.")
        self.day_loss_limit = self._gauge("day_loss_limit_rupees", "Loss that ends the day.")
        # Limits of the day that are reached: daily_profit, strategy_daily_loss and the like.
        self.day_limits = self._gauge("day_limits_reached", "Limits of the day that are reached.")
        # Rupees lost if every stop of positions and working entries is hit, and the limit.
        self.at_risk = self._gauge("at_risk_rupees", "Rupees lost if every stop is hit.")
        self.at_risk_limit = self._gauge("at_risk_limit_rupees", "Most rupees at risk.")
        # Order requests (place, modify, cancel) that Kite's rate limits still allow, by span.
        self.budget = self._gauge(
            "order_budget_left", "Order requests left in a span of time.", "span_seconds"
        )


class PositionMetrics(_Definitions):
    """Metrics of the position service."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        # Positions that are open.
        self.open = self._gauge("positions_open", "Open positions.")
        # Open positions without a stop, or whose contract is not quoted.
        self.unguarded = self._gauge("positions_unguarded", "Open positions without a live stop.")
        # Open positions that their profile lets be held over night: no square-off leaves them.
        self.over_night = self._gauge(
            "positions_over_night", "Open positions that may be held over night."
        )
        # Today's rupees: closed positions after charges, and open ones at the last price.
        self.realised = self._gauge(
            "realised_pnl_rupees", "Net result of today's closed positions."
        )
        self.unrealised = self._gauge("unrealised_pnl_rupees", "Result of open positions at marks.")
        # Days for which the calendar of trading days still holds, at most 42.
        self.calendar_days_left = self._gauge(
            "calendar_days_left", "Days for which the calendar holds, at most 42."
        )
        # Days for which lots, freezes, charges and limits are known, at most 42; 0: some are not.
        self.rule_days_left = self._gauge(
            "rule_days_left", "Days for which every rule of the exchange is known, at most 42."
        )
        # Positions closed, by outcome (win or loss, after charges): the win rate.
        self.closed = self._counter("positions_closed", "Positions closed.", "outcome")


class Metrics(_Definitions):
    """The metrics of one service."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        super().__init__(self.registry)
        # The version that runs.
        self.service_info = self._gauge(
            "service_info",
            "Always 1; the labels are the service and its version.",
            "service",
            "version",
        )
        # Whether each part of the service works: a consumer group, a table writer, the bus.
        self.component_up = self._gauge(
            "component_up", "Whether a part of the service works.", "component", "required"
        )
        # 1 while the service waits for a login or a trading day; it is ready meanwhile.
        self.service_waiting = self._gauge(
            "service_waiting", "Whether the service waits for a login or a trading day."
        )
        # Published events, by type.
        self.events_published = self._counter("events_published", "Events published.", "type")
        # Handled events, by type: compare with what upstream published.
        self.events_handled = self._counter("events_handled", "Events handled.", "type")
        # Time of one event in the handler, without its time in the queue.
        self.handler_seconds = self._seconds(
            "handler_seconds", "Time in the handler for one event.", "type"
        )
        # Time to flush sinks and producer and to commit offsets.
        self.checkpoint_seconds = self._seconds(
            "checkpoint_seconds", "Time to flush and commit.", "group"
        )
        # Messages that could not be handled: look at every increase.
        self.dead_letters = self._counter("dead_letters", "Messages sent to dead letters.", "topic")
        # Retries of transient errors of bus, database or broker.
        self.retries = self._counter("retries", "Retries of a retriable error.", "what")
        # Messages that a group has not committed yet: a growing number means a slow consumer.
        self.consumer_lag = self._gauge(
            "consumer_lag", "Messages that a group has not committed.", "group", "topic"
        )
        # Ticks refused, by reason; see the candle service's README.
        self.ticks_rejected = self._counter("ticks_rejected", "Ticks refused.", "reason")
        # Ticks accepted although they stepped back in time or volume.
        self.ticks_flagged = self._counter(
            "ticks_flagged", "Ticks accepted with a defect.", "reason"
        )
        # Age of the newest event of a type by the service's clock, on arrival at this service.
        self.data_age_seconds = self._gauge(
            "data_age_seconds", "Age of the newest event handled, by the service's clock.", "type"
        )
        # The same hop by hop: how long ago the exchange, ingest and each service had what the
        # newest message stands on.
        self.hop_age_seconds = self._gauge(
            "hop_age_seconds",
            "Time since a hop had what the newest message stands on.",
            *("type", "hop"),
        )
        # Time of one insert, and the rows inserted.
        self.insert_seconds = self._seconds("insert_seconds", "Time of one insert.", "table")
        self.rows_inserted = self._counter("rows_inserted", "Rows inserted.", "table")
        # Time of a request to Kite, by class (quote, historical, orders, other) and outcome.
        self.kite_request_seconds = self._seconds(
            "kite_request_seconds", "Time of one request to Kite.", "request_class", "outcome"
        )
        self.service_info.labels(service, VERSION).set(1)
        # Cached, because looking a label up costs more than counting, once per event.
        self._handled = cache(
            lambda kind: (self.events_handled.labels(kind), self.handler_seconds.labels(kind))
        )
        self._published = cache(self.events_published.labels)
        self._age = cache(self.data_age_seconds.labels)
        self._hop_age = cache(self.hop_age_seconds.labels)

    def note_handled(self, kind: str, seconds: float, count: int = 1) -> None:
        """Count handled events, and their total time."""
        counted, timed = self._handled(kind)
        counted.inc(count)
        timed.observe(seconds)

    def note_published(self, kind: str) -> None:
        """Count one published event."""
        self._published(kind).inc()

    def note_age(self, kind: str, seconds: float) -> None:
        """Set the age of the newest event of a type."""
        self._age(kind).set(seconds)

    def note_hop_age(self, kind: str, hop: str, seconds: float) -> None:
        """Set the time since a hop had what the newest message of a type stands on."""
        self._hop_age(kind, hop).set(seconds)

    def note_insert(self, table: str, rows: int, seconds: float) -> None:
        """Count one insert."""
        self.rows_inserted.labels(table).inc(rows)
        self.insert_seconds.labels(table).observe(seconds)

    def note_request(self, request_class: str, outcome: str, seconds: float) -> None:
        """Count one request to Kite; safe to call from several threads."""
        self.kite_request_seconds.labels(request_class, outcome).observe(seconds)

    def note_components(self, components: Mapping[str, Component], *, is_waiting: bool) -> None:
        """Set which parts of the service work, and whether it waits for a login or a day."""
        self.service_waiting.set(is_waiting)
        for name, component in components.items():
            required = str(component.is_required).lower()
            self.component_up.labels(name, required).set(component.is_up)

    @cached_property
    def feed(self) -> FeedMetrics:
        """What ingest measures."""
        return FeedMetrics(self.registry)

    @cached_property
    def strategy(self) -> StrategyMetrics:
        """What the strategy service measures."""
        return StrategyMetrics(self.registry)

    @cached_property
    def signals(self) -> SignalMetrics:
        """What the signal service measures."""
        return SignalMetrics(self.registry)

    @cached_property
    def trading(self) -> TradingMetrics:
        """What the executor measures."""
        return TradingMetrics(self.registry)

    @cached_property
    def positions(self) -> PositionMetrics:
        """What the position service measures."""
        return PositionMetrics(self.registry)

    def render(self) -> bytes:
        """Return the metrics as Prometheus reads them."""
        return generate_latest(self.registry)
