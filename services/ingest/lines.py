"""One connection of a day: what it follows, and whether it is alive."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from libs.broker.port.market import Mode, TickStream
from services.ingest.domain.canaries import Kind
from services.ingest.domain.following import Following
from services.ingest.domain.silence import Silence


@dataclass(slots=True)
class Line:
    """A connection, its partitions (None: all), subscriptions and silence.

    `weights` say how much of what it follows must be quoted (`domain/canaries.py`); `reached_ms` is
    how far it has come by the exchange's time. `waited_ms`: for so long what it brings may have
    waited to be handled.
    """

    stream: TickStream
    following: Following
    partitions: tuple[int, ...] | None = None
    silence: Silence = field(default_factory=Silence)
    weights: Mapping[Kind, int] = field(default_factory=dict)
    reached_ms: int = 0
    waited_ms: int = 0

    async def follow(self, wanted: Mapping[int, Mode]) -> None:
        """Follow this alone."""
        change = self.following.change_to(wanted)
        if change.gone:
            await self.stream.unsubscribe(change.gone)
        for mode, tokens in change.added.items():
            await self.stream.subscribe(tokens, mode)

    def heard(self, now_ms: int) -> None:
        """Note news (monotonic ms): time goes on from there."""
        self.silence.heard(now_ms)
        self.waited_ms = 0

    def excuse(self, unseen_ms: int, now_ms: int) -> None:
        """Note a time in which nothing could be handled: what it brought since then waited."""
        self.silence.excused(unseen_ms, now_ms)
        self.waited_ms += unseen_ms

    async def replace_if_dead(self, now_ms: int, patience_ms: int) -> None:
        """Connect anew, where news was missing for too long on this connection (monotonic ms)."""
        open_ms = int(self.stream.open_seconds * 1000)
        if self.silence.is_dead(now_ms, patience_ms, open_ms):
            self.silence.replaced()
            await self.stream.replace()

    def lag_ms(self, now_ms: int) -> int:
        """Return how far it is behind a time at the exchange, 0 before its first stamp."""
        return max(0, now_ms - self.reached_ms) if self.reached_ms else 0
