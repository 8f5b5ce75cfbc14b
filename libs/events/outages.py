"""When ticks are missing: the times between two batches of a partition that lie too far apart."""

from dataclasses import dataclass, field

from libs.events.ticks import TickBatch

OUTAGE_MS = 5_000
"""A partition has its connection's clock each second: one that lags longer has missed ticks."""
RECORDED, RECORDED_OUTAGE_MS = "recorded", 60_000
"""A source whose candles are taken as they are: what was not recorded cannot be asked for. It has
no clock of its own, so it may be silent for longer."""


@dataclass(slots=True)
class Outages:
    """The outages of a partition's feed on one day, by its clock (epoch ms).

    `seen_ms` is up to when it has been there; 0: not yet, so that all before its first batch is
    missing. One that lasts no longer than `longest_ms` is none.
    """

    seen_ms: int = 0
    longest_ms: int = OUTAGE_MS
    is_recorded: bool = False
    spans: list[tuple[int, int]] = field(default_factory=list)

    def on_batch(self, batch: TickBatch) -> tuple[int, int] | None:
        """Note a batch; return the outage that ends with it, if one does.

        Quotes that were asked for (their time is that of the arrival) are no stream of ticks.
        """
        if batch.time_is_arrival:
            return None
        if batch.source == RECORDED:
            self.is_recorded, self.longest_ms = True, RECORDED_OUTAGE_MS
        return self.on_clock(batch.clock_ms)

    def on_clock(self, clock_ms: int) -> tuple[int, int] | None:
        """Note the clock; return the outage that ends with it, if one does."""
        seen_ms, self.seen_ms = self.seen_ms, max(self.seen_ms, clock_ms)
        if clock_ms - seen_ms <= self.longest_ms:
            return None
        span = (seen_ms, clock_ms) if seen_ms else (0, clock_ms - self.longest_ms)
        self.spans.append(span)
        return span

    def was_there(self, until_ms: int) -> None:
        """Note from elsewhere that the feed has been there up to a time."""
        self.seen_ms = max(self.seen_ms, until_ms)

    def note(self, since_ms: int, until_ms: int) -> None:
        """Note an outage that was found before a restart."""
        self.spans.append((since_ms, until_ms))

    def touch(self, since_ms: int, until_ms: int) -> bool:
        """Return whether ticks between two times are missing; never of a recording."""
        if self.is_recorded:
            return False
        lags = 0 < self.seen_ms < until_ms - self.longest_ms
        return lags or any(first < until_ms and last > since_ms for first, last in self.spans)

    def there_since(self, at_ms: int) -> int:
        """Return since when the feed has been there at a time without an outage (epoch ms)."""
        return max((last for first, last in self.spans if first < at_ms), default=0)
