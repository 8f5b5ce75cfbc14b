"""A feed connection: keeps a clock of exchange time and splits frames by partition."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.events.event import utc_from_ms
from libs.events.ticks import TickBatch, TickColumns
from libs.market.calendar import day_span_ms
from libs.market.instruments import partition_of


@dataclass(slots=True)
class Connection:
    """One connection of the feed on one trading day.

    The clock is the highest exchange time of the day so far; timestamps of other days, and those
    more than `ahead_ms` after their arrival, do not move it. A partition gets the clock with its
    ticks, and without ticks once it has moved by `clock_every_ms`. `own`: the partitions that it
    carries, None for all; what it brings of others is left out.
    """

    source: str
    trading_day: date
    started_ms: int
    partitions: int
    number: int = 0
    own: tuple[int, ...] | None = None
    ahead_ms: int = 5_000
    clock_every_ms: int = 1_000
    _sequence: int = 0
    _clock_ms: int = 0
    _sent_ms: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._sent_ms = [0] * self.partitions
        self._day = day_span_ms(self.trading_day)

    _day: tuple[int, int] = field(init=False, default=(0, 0))

    @property
    def clock_ms(self) -> int:
        """Highest exchange time of the day so far (epoch ms)."""
        return self._clock_ms

    def cut(
        self,
        columns: TickColumns,
        received_ms: int,
        offset_ms: int = 0,
        *,
        time_is_arrival: bool = False,
    ) -> Iterator[TickBatch]:
        """Yield a batch per partition that has ticks in the frame or is due for the clock.

        `offset_ms` is how far the machine's clock is ahead of the exchange's; `time_is_arrival`:
        the ticks have no time of the exchange's own.
        """
        self._sequence += 1
        self._advance(columns, received_ms)
        partition = self._partition_of_rows(columns)
        for number in range(self.partitions) if self.own is None else self.own:
            rows = np.flatnonzero(partition == number)
            is_due = self._clock_ms - self._sent_ms[number] >= self.clock_every_ms
            if len(rows) or is_due:
                self._sent_ms[number] = self._clock_ms
                share = columns if len(rows) == len(columns) else columns.take(rows)
                yield self._batch(number, share, received_ms, offset_ms, time_is_arrival)

    def _partition_of_rows(self, columns: TickColumns) -> NDArray[Any]:
        return np.asarray(partition_of(columns.instrument_token, self.partitions))

    def _advance(self, columns: TickColumns, received_ms: int) -> None:
        if not len(columns):
            seen = received_ms
        else:
            at_ms = columns.exchange_timestamp
            latest = min(self._day[1] - 1, received_ms + self.ahead_ms)
            is_valid = (at_ms >= self._day[0]) & (at_ms <= latest)
            seen = int(at_ms[is_valid].max()) if is_valid.any() else 0
        self._clock_ms = max(self._clock_ms, seen)

    def _batch(
        self,
        partition: int,
        columns: TickColumns,
        received_ms: int,
        offset_ms: int,
        time_is_arrival: bool,
    ) -> TickBatch:
        parts = (self.source, self.started_ms, self.number, self._sequence, partition)
        envelope = TickBatch.without_cause(
            *parts, occurred_at=utc_from_ms(self._clock_ms), trading_day=self.trading_day
        )
        return TickBatch(
            **envelope,
            source=self.source,
            connection=self.number,
            sequence=self._sequence,
            partition=partition,
            clock_ms=self._clock_ms,
            received_ms=received_ms,
            time_is_arrival=time_is_arrival,
            offset_ms=offset_ms,
            started_ms=self.started_ms,
            columns=columns,
        )
