"""When each hop had the data that a message stands on, and whether that is too long ago.

Stamps travel in a header of the records, from a cause to its effects. Events know nothing of them,
so ids and outcome do not depend on them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from libs.events.ticks import TickBatch

HEADER = "stamped"
EXCHANGE, INGEST = "exchange", "ingest"
_STAMP = re.compile(rb"([a-z_]+)=(\d{1,15})(?!\S)")


@dataclass(frozen=True, slots=True)
class Stamps:
    """Hop → when it had the data (epoch ms), in the order of passing.

    `exchange` is the exchange's own time, `ingest` the arrival of the frame; any other hop is a
    service, by its clock, when it published what followed.
    """

    hops: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, headers: Iterable[tuple[str, bytes]]) -> "Stamps":
        """Return the stamps in a record's headers; none where they say none."""
        return cls(_hops_in(next((value for name, value in headers if name == HEADER), b"")))

    def passed(self, hop: str, at_ms: int) -> "Stamps":
        """Return the stamps with one more; of a hop that passed before only the last counts."""
        return Stamps((*((name, at) for name, at in self.hops if name != hop), (hop, at_ms)))

    def ages(self, now_ms: int) -> dict[str, int]:
        """Return hop → age in ms at a time; negative where a hop's clock is ahead."""
        return {hop: now_ms - at_ms for hop, at_ms in self.hops}

    def header(self) -> tuple[str, bytes]:
        """Return the stamps as a header, which a person can read."""
        return HEADER, " ".join(f"{hop}={at_ms}" for hop, at_ms in self.hops).encode()


class TooOld(NamedTuple):
    """A hop whose data is older than its budget, and the ages of all hops (ms)."""

    hop: str
    age_ms: int
    budget_ms: int
    ages: Mapping[str, int]

    @property
    def reason(self) -> str:
        """The hop, its age and its budget, and all ages, on one line."""
        all_ages = ", ".join(f"{hop} {_seconds(age_ms)}" for hop, age_ms in self.ages.items())
        age, budget = _seconds(self.age_ms), _seconds(self.budget_ms)
        return f"{self.hop} {age} ago, {budget} at most ({all_ages})"

    @property
    def numbers(self) -> dict[str, float | str]:
        """The same as fields of a refusal."""
        ages = {f"{hop}_age_ms": age_ms for hop, age_ms in self.ages.items()}
        return {"hop": self.hop, "age_ms": self.age_ms, "budget_ms": self.budget_ms, **ages}


@lru_cache(maxsize=256)
def _hops_in(header: bytes) -> tuple[tuple[str, int], ...]:
    """Return the stamps in a header: several groups ask for those of the same message."""
    return tuple((hop.decode(), int(at)) for hop, at in _STAMP.findall(header))


def first_stamps(batch: TickBatch) -> Stamps:
    """Return the stamps of ticks at their arrival.

    The exchange's is that of the newest tick, not of the connection's clock: late ticks are old.
    """
    at_ms = batch.columns.exchange_timestamp
    timely = at_ms[at_ms <= batch.clock_ms]
    exchange_ms = int(np.max(timely)) if len(timely) else batch.clock_ms
    return Stamps(((EXCHANGE, exchange_ms), (INGEST, batch.received_ms)))


def oldest(
    stamps: Stamps, now_ms: int, budgets: Mapping[str, int], pace: float = 1.0
) -> TooOld | None:
    """Return the hop furthest beyond its budget (ms) at a time; None if all are within.

    A hop without a budget is not judged, nor is a budget whose hop left no stamp; see `scaled`.
    """
    ages, allowed = stamps.ages(now_ms), scaled(budgets, pace)
    beyond = [hop for hop, age_ms in ages.items() if hop in allowed and age_ms > allowed[hop]]
    if not beyond:
        return None
    worst = max(beyond, key=lambda hop: ages[hop] - allowed[hop])
    return TooOld(worst, ages[worst], allowed[worst], ages)


def scaled(budgets: Mapping[str, int], pace: float) -> dict[str, int]:
    """Return budgets (ms) at a pace of the market.

    Where it is faster than the machine (above 1), a budget is as much time of the machine: what the
    services need does not shrink with the market.
    """
    return {hop: round(budget_ms * max(1.0, pace)) for hop, budget_ms in budgets.items()}


def _seconds(ms: int) -> str:
    return f"{ms / 1000:.1f} s"
