"""Says what becomes of the broker's connections, once each time, and measures it."""

from collections import Counter
from collections.abc import Mapping

from libs.runtime.logs import logger_of
from libs.runtime.metrics import FeedMetrics


class FeedLog:
    """Logs changes, and keeps what `/info` shows of the connections."""

    def __init__(self, metrics: FeedMetrics | None = None) -> None:
        self._metrics = metrics
        self._log = logger_of("ingest")
        self._counted: dict[int, Counter[str]] = {}
        self._silent: frozenset[int] = frozenset()
        self._left_out: dict[int, int] = {}
        self._is_refused = False
        self.is_halted = False
        self.polled, self.unquoted = 0, 0
        self.ages_ms: dict[int, int] = {}

    @property
    def silent(self) -> frozenset[int]:
        """The connections whose ticks are missing."""
        return self._silent

    def describe(self) -> dict[str, object]:
        """Return what `/info` shows."""
        connections = {
            str(connection): {"age_seconds": age_ms / 1000, **self._counted.get(connection, {})}
            for connection, age_ms in self.ages_ms.items()
        }
        return {
            "connections": connections,
            "all_silent": self.is_halted,
            "quoted_by_request": self.polled,
            "not_quoted": self.unquoted,
        }

    def begin(self, spread: Mapping[int, int]) -> None:
        """Begin a day: connection → how many instruments it has."""
        self.ages_ms = dict.fromkeys(spread, 0)
        if self._metrics is not None:  # a day before may have had more connections
            self._metrics.connection_age.clear()
            self._metrics.connection_lag.clear()
        if len(spread) > 1:
            self._log.info("instruments by connection", instruments=list(spread.values()))

    def note_silent(self, silent: frozenset[int], expected: frozenset[int]) -> None:
        """Tell which connections bring no ticks, and whether all that should are silent together.

        Of one whose market has closed nothing is expected: it does not bring ticks again.
        """
        is_halt = bool(expected) and silent == expected
        for connection in sorted(silent - self._silent):
            self._log.warning("a connection brings no ticks", connection=connection)
        for connection in sorted(self._silent & expected - silent):
            self._log.info("a connection brings ticks again", connection=connection)
        if is_halt and not self.is_halted:
            self._log.error("no connection brings ticks: the exchange or the line has halted")
        elif self.is_halted and not is_halt and expected:
            self._log.info("ticks come again")
        self._silent, self.is_halted = silent, is_halt
        if self._metrics is not None:
            self._metrics.halted.set(is_halt)

    def note_polled(self, polled: int, unquoted: int) -> None:
        """Tell how many instruments are quoted by request, and how many not at all."""
        if polled and not self.polled:
            self._log.warning("quotes by request stand in for the websocket", instruments=polled)
        elif self.polled and not polled:
            self._log.info("the websocket brings the quotes again")
        if unquoted and unquoted != self.unquoted:
            self._log.error("neither the websocket nor requests quote these", instruments=unquoted)
        self.polled, self.unquoted = polled, unquoted
        if self._metrics is not None:
            self._metrics.polled.set(polled)
            self._metrics.unquoted.set(unquoted)

    def note_poll(self, refused: str) -> None:
        """Tell that requests for quotes fail, once until one succeeds ("")."""
        if refused and not self._is_refused:
            self._log.warning("no quotes by request", reason=refused)
        self._is_refused = bool(refused)

    def note_left_out(self, connection: int, count: int) -> None:
        """Tell that a connection has no room for so many instruments."""
        if count and count != self._left_out.get(connection):
            self._log.error(
                "a connection is full", connection=connection, instruments_not_followed=count
            )
        self._left_out[connection] = count

    def measure(self, connection: int, age_ms: int, lag_ms: int, counts: Mapping[str, int]) -> None:
        """Note a connection's age and lag, and what it has counted so far."""
        self.ages_ms[connection] = age_ms
        counted = self._counted.setdefault(connection, Counter())
        more = {name: count - counted[name] for name, count in counts.items()}
        counted.update(more)
        if self._metrics is None:
            return
        self._metrics.connection_age.labels(connection).set(age_ms / 1000)
        self._metrics.connection_lag.labels(connection).set(lag_ms / 1000)
        for name, count in more.items():
            self._metrics.connection_events.labels(connection, name).inc(count)
