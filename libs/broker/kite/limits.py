"""Kite's rate limits and a count of requests; times are passed in."""

import re
from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from libs.market.dated import DatedSeries
from libs.market.packaged import kept, load_table

RequestClass = Literal["quote", "historical", "orders", "other"]
REQUEST_CLASSES: tuple[RequestClass, ...] = ("quote", "historical", "orders", "other")

DAY_MS = 86_400_000
_QUOTE = re.compile(r"/quote(/|$)")
_HISTORICAL = re.compile(r"/instruments/historical(/|$)")
_ORDERS = re.compile(r"/orders(/|$)")


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` requests within any `per_ms` milliseconds."""

    count: int
    per_ms: int


class SlidingWindows:
    """Counts requests against several rates at once; times are monotonic ms.

    A request counts against a rate for exactly `per_ms` milliseconds, so no span of that length
    holds more than the rate: no second of the clock does either, whatever the clock shows. `kept`
    is how many of each rate, by its span in ms, are left over for requests that take all.
    """

    def __init__(self, rates: Sequence[Rate], kept: Mapping[int, int] | None = None) -> None:
        self._taken = [(rate, list[int]()) for rate in rates]
        self._kept = kept or {}

    def wait_ms(self, now_ms: int, *, keeps: bool = False) -> int:
        """Return the milliseconds until a request may be sent; 0: now."""
        waits = (self._wait_ms(rate, taken, now_ms, keeps) for rate, taken in self._taken)
        return max(waits, default=0)

    def take(self, at_ms: int) -> None:
        """Count a request."""
        for rate, taken in self._taken:
            del taken[: bisect_right(taken, at_ms - rate.per_ms)]
            insort(taken, at_ms)

    def note(self, at_ms: int, now_ms: int) -> None:
        """Count a request that was sent earlier, by somebody else say."""
        for rate, taken in self._taken:
            if now_ms - at_ms < rate.per_ms:
                insort(taken, at_ms)

    def give_back(self, at_ms: int) -> None:
        """Count a request of this time no longer."""
        for _, taken in self._taken:
            if at_ms in taken:
                taken.remove(at_ms)

    def free(self, now_ms: int) -> int:
        """Return how many requests may be sent now."""
        return min(self.left(now_ms).values())

    def left(self, now_ms: int) -> dict[int, int]:
        """Return how many requests are left, by span in milliseconds.

        If several rates have the same span, the tightest one counts.
        """
        left: dict[int, int] = {}
        for rate, taken in self._taken:
            used = len(taken) - bisect_right(taken, now_ms - rate.per_ms)
            free = max(0, rate.count - used)
            left[rate.per_ms] = min(free, left.get(rate.per_ms, free))
        return left

    def _wait_ms(self, rate: Rate, taken: Sequence[int], now_ms: int, keeps: bool) -> int:
        kept = self._kept.get(rate.per_ms, 0) if keeps else 0
        count = max(1, rate.count - kept)
        if len(taken) < count:
            return 0
        return max(0, taken[-count] + rate.per_ms - now_ms)


@dataclass(frozen=True, slots=True)
class KiteLimits:
    """What Kite allows on a day.

    `kept` is the share of the rates that only urgent requests may use; `history_days` is days per
    call by interval; `cool_down_ms` is how long Kite refuses after a 429; `margin_ms` is added to
    each rate's span, because network latency varies.
    """

    rates: Mapping[RequestClass, tuple[Rate, ...]]
    kept: Mapping[RequestClass, tuple[Rate, ...]]
    instruments_a_call: Mapping[str, int]
    history_days: Mapping[str, int]
    cool_down_ms: int
    margin_ms: int
    modifications: int
    connections: int
    tokens_a_connection: int
    tag_length: int

    def windows(self, request_class: RequestClass, margin_ms: int = 0) -> SlidingWindows:
        """Return a fresh count for a class of requests, each span longer by a margin."""
        rates = self.rates[request_class]
        return SlidingWindows([Rate(rate.count, rate.per_ms + margin_ms) for rate in rates])


def load_limits(on: date) -> KiteLimits:
    """Return the limits of a day, or the nearest known ones."""
    series = _load_series()
    return KiteLimits(
        rates=_rates(_on(series["rates"], on)),
        kept=_rates(_on(series["kept"], on)),
        instruments_a_call=_on(series["instruments_a_call"], on),
        history_days=_on(series["history_days"], on),
        **_on(series["numbers"], on),
    )


def _rates(pairs: Mapping[str, Any]) -> dict[RequestClass, tuple[Rate, ...]]:
    known = (name for name in REQUEST_CLASSES if name in pairs)
    return {name: tuple(Rate(*pair) for pair in pairs[name]) for name in known}


@kept
def _load_series() -> dict[str, dict[str, DatedSeries[Any]]]:
    table = load_table("kite_limits.toml")
    sections = ("rates", "kept", "instruments_a_call", "history_days", "numbers")
    return {
        section: {name: DatedSeries.of(entries) for name, entries in table[section].items()}
        for section in sections
    }


def _on(series: Mapping[str, DatedSeries[Any]], on: date) -> dict[str, Any]:
    return {name: dated.at(on).value for name, dated in series.items()}


def class_of(method: str, path: str) -> RequestClass:
    """Return the class of a request, by its method and its path without a query."""
    if _QUOTE.match(path):
        return "quote"
    if _HISTORICAL.match(path):
        return "historical"
    if _ORDERS.match(path) and method.upper() != "GET":
        return "orders"
    return "other"
