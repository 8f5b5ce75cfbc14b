"""What differs between two sets of candles of a day: every value, exactly."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from libs.events.candles import Candle, Interval

Place: TypeAlias = tuple[str, Interval, int]
"""Instrument (exchange:tradingsymbol), interval, and when a candle opened (epoch ms)."""
FIELDS = ("open", "high", "low", "close", "volume")
PAISA_DIGITS = 2
"""Prices are compared to the paisa, which is the finest that a broker gives."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A candle that is not the same: without a counterpart (None), or the fields that differ."""

    place: Place
    ours: Candle | None
    brokers: Candle | None
    fields: tuple[str, ...] = ()

    def values(self, name: str) -> tuple[float, float, float]:
        """Return our value of a field, the broker's, and how far ours is above it."""
        if self.ours is None or self.brokers is None:
            raise ValueError(f"{self.place}: one of the two candles is missing")
        ours, brokers = float(getattr(self.ours, name)), float(getattr(self.brokers, name))
        return ours, brokers, round(ours - brokers, PAISA_DIGITS)


@dataclass(frozen=True, slots=True)
class Compared:
    """How many candles are the same, and those that are not: by instrument, interval and time."""

    same: int
    differences: tuple[Difference, ...]


def compared(ours: Iterable[Candle], brokers: Iterable[Candle]) -> Compared:
    """Compare candles, each at most once in either set."""
    mine, theirs = _placed(ours), _placed(brokers)
    differences = [
        Difference(place, mine.get(place), theirs.get(place), fields)
        for place in sorted(mine.keys() | theirs.keys(), key=_in_order)
        if (fields := _fields(mine.get(place), theirs.get(place))) is not None
    ]
    return Compared(len(mine.keys() | theirs.keys()) - len(differences), tuple(differences))


def corrections(differences: Sequence[Difference]) -> list[Candle]:
    """Return the broker's candles in the place of ours, as revisions of these, of source backfill.

    A candle that only we have is left alone: the broker has nothing to put in its place.
    """
    return [
        one.brokers._replace(revision=1 if one.ours is None else one.ours.revision + 1)
        for one in differences
        if one.brokers is not None
    ]


def _placed(candles: Iterable[Candle]) -> Mapping[Place, Candle]:
    return {(one.key, one.interval, one.opened_ms): one for one in candles}


def _in_order(place: Place) -> tuple[str, int, int, str]:
    key, interval, opened_ms = place
    return key, len(interval), opened_ms, interval


def _fields(ours: Candle | None, brokers: Candle | None) -> tuple[str, ...] | None:
    """Return the fields that differ, none for a missing candle; None if nothing differs."""
    if ours is None or brokers is None:
        return ()
    return tuple(name for name in FIELDS if _value(ours, name) != _value(brokers, name)) or None


def _value(candle: Candle, name: str) -> float:
    return round(float(getattr(candle, name)), PAISA_DIGITS)
