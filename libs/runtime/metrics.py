"""Every metric of the services, each defined once, in a registry of its own per service."""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30)


class Metrics:
    """The metrics of one service."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        namespace = "alphastocks"

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, namespace=namespace, registry=self.registry)

        self.service_info = Gauge(
            "service_info",
            "Always 1; the labels tell the service and its version.",
            ("service", "version"),
            namespace=namespace,
            registry=self.registry,
        )
        # What was published, by type: the pulse of each service.
        self.events_published = counter("events_published", "Events published.", "type")
        # What was handled, by type: compare with what upstream published.
        self.events_handled = counter("events_handled", "Events handled.", "type")
        # How long one event takes in the handler, without waiting for it.
        self.handler_seconds = Histogram(
            "handler_seconds",
            "Time in the handler for one event.",
            ("type",),
            namespace=namespace,
            registry=self.registry,
            buckets=_SECONDS,
        )
        # Messages that can never be handled: any increase deserves a look.
        self.dead_letters = counter("dead_letters", "Messages sent to dead letters.", "topic")
        # Retries of transient trouble: bus, database, broker.
        self.retries = counter("retries", "Retries of a retriable error.", "what")
        # How many messages a group has not committed yet: what grows is not kept up with.
        self.consumer_lag = Gauge(
            "consumer_lag",
            "Messages that a group has not committed.",
            ("group", "topic"),
            namespace=namespace,
            registry=self.registry,
        )
        # Ticks refused, by reason: SPEC of the candle service.
        self.ticks_rejected = counter("ticks_rejected", "Ticks refused.", "reason")
        # Ticks accepted although they stepped back in time or volume.
        self.ticks_flagged = counter("ticks_flagged", "Ticks accepted with a defect.", "reason")
        # How far the exchange time of the newest tick lies behind the service's clock.
        self.data_age_seconds = Gauge(
            "data_age_seconds",
            "Age of the newest event handled, by the service's clock.",
            ("type",),
            namespace=namespace,
            registry=self.registry,
        )
        # Time of one batch insert.
        self.insert_seconds = Histogram(
            "insert_seconds",
            "Time of one insert.",
            ("table",),
            namespace=namespace,
            registry=self.registry,
            buckets=_SECONDS,
        )
        # Rows that reached a table.
        self.rows_inserted = counter("rows_inserted", "Rows inserted.", "table")
        self.service_info.labels(service, VERSION).set(1)
        # Looking a label up costs more than counting: these are asked for with each event.
        self._handled = cache(
            lambda kind: (self.events_handled.labels(kind), self.handler_seconds.labels(kind))
        )
        self._published = cache(self.events_published.labels)
        self._age = cache(self.data_age_seconds.labels)

    def note_handled(self, kind: str, seconds: float, count: int = 1) -> None:
        """Count handled events, and the time that they took together."""
        counted, timed = self._handled(kind)
        counted.inc(count)
        timed.observe(seconds)

    def note_published(self, kind: str) -> None:
        """Count one published event."""
        self._published(kind).inc()

    def note_age(self, kind: str, seconds: float) -> None:
        """Set the age of the newest event of a type."""
        self._age(kind).set(seconds)

    def note_insert(self, table: str, rows: int, seconds: float) -> None:
        """Count one insert."""
        self.rows_inserted.labels(table).inc(rows)
        self.insert_seconds.labels(table).observe(seconds)

    def render(self) -> bytes:
        """Return the metrics as Prometheus reads them."""
        return generate_latest(self.registry)


VERSION = "0.1.0"
