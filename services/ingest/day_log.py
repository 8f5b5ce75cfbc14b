"""Says once a day what is odd about the day's instruments, and counts it."""

from collections.abc import Sequence
from datetime import date

from libs.runtime.logs import logger_of
from libs.runtime.metrics import FeedMetrics
from services.ingest.domain.universe import Universe

SHOWN = 20
"""So many rows of an exchange's dump are named; of more, their number."""


class DayLog:
    """Tells what the dumps of a day lack; what was told is not told again that day."""

    def __init__(self, metrics: FeedMetrics | None = None) -> None:
        self._metrics = metrics
        self._log = logger_of("ingest")
        self._day = date.min
        self._told: set[str] = set()

    def begin(self, day: date) -> None:
        """Begin a day, or ask for its dumps once more."""
        if day != self._day:
            self._day, self._told = day, set()

    def note_left_out(self, exchange: str, rows: Sequence[str]) -> None:
        """Name and count the rows of a dump that could not be read."""
        fresh = [row for row in rows if self._is_new(f"{exchange} {row}")]
        for row in fresh[:SHOWN]:
            self._log.warning("left out a row of the instruments", exchange=exchange, row=row)
        if len(fresh) > SHOWN:
            more = len(fresh) - SHOWN
            self._log.warning("left out more rows of the instruments", exchange=exchange, rows=more)
        if self._metrics is not None:
            self._metrics.rows_left_out.inc(len(fresh))

    def note_no_dump(self, exchange: str, reason: str) -> None:
        """Tell that the broker lists nothing of an exchange."""
        if self._is_new(exchange):
            self._log.error("the broker lists no instruments", exchange=exchange, reason=reason)

    def note_universe(self, universe: Universe) -> None:
        """Tell which instruments are missing, for the alert too, and which have no options."""
        if self._metrics is not None:
            self._metrics.missing.clear()
            for one in universe.followed:
                self._metrics.missing.labels(one.key).set(0)
            for lacking in universe.missing:
                self._metrics.missing.labels(lacking.key).set(1)
        for lacking in universe.missing:
            if self._is_new(lacking.reason):
                self._log.error("not followed", instrument=lacking.key, reason=lacking.reason)
        for key in universe.without_options:
            if self._is_new(key):
                self._log.warning("no options are listed", underlying=key)

    def _is_new(self, told: str) -> bool:
        is_new = told not in self._told
        self._told.add(told)
        return is_new
