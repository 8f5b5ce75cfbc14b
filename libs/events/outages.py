"""When ticks are missing: the times between two batches of a partition that lie too far apart."""

from dataclasses import dataclass, field

from libs.events.ticks import TickBatch

OUTAGE_MS = 5_000
"""A partition has its connection's clock each second: one that lags longer has missed ticks."""
RECORDED = "recorded"
"""The source whose ticks are taken as they are: what was not recorded cannot be asked for."""


@dataclass(slots=True)
class Outages:
    """The outages of a partition's feed on one day, by its clock (epoch ms).

    `seen_ms` is up to when it has been there; 0: not yet, so that all before its first batch is
    missing.
    """

    seen_ms: int = 0
    spans: list[tuple[int, int]] = field(default_factory=list)

    def on_batch(self, batch: TickBatch) -> tuple[int, int] | None:
        """Note a batch; return the outage that ends with it, if one does."""
        return None if batch.source == RECORDED else self.on_clock(batch.clock_ms)

    def on_clock(self, clock_ms: int) -> tuple[int, int] | None:
        """Note the clock; return the outage that ends with it, if one does."""
        seen_ms, self.seen_ms = self.seen_ms, max(self.seen_ms, clock_ms)
        if clock_ms - seen_ms <= OUTAGE_MS:
            return None
        span = (seen_ms, clock_ms) if seen_ms else (0, clock_ms - OUTAGE_MS)
        self.spans.append(span)
        return span

    def was_there(self, until_ms: int) -> None:
        """Note from elsewhere that the feed has been there up to a time."""
        self.seen_ms = max(self.seen_ms, until_ms)

    def note(self, since_ms: int, until_ms: int) -> None:
        """Note an outage that was found before a restart."""
        self.spans.append((since_ms, until_ms))

    def touch(self, since_ms: int, until_ms: int) -> bool:
        """Return whether ticks between two times are missing."""
        return any(first < until_ms and last > since_ms for first, last in self.spans)
