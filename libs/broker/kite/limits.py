"""Kite's rate limits and a count of requests; times are passed in."""

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Literal

from libs.market.dated import DatedSeries, Span
from libs.market.packaged import load_table

RequestClass = Literal["quote", "historical", "orders", "other"]
REQUEST_CLASSES: tuple[RequestClass, ...] = ("quote", "historical", "orders", "other")

_QUOTE = re.compile(r"/quote(/|$)")
_HISTORICAL = re.compile(r"/instruments/historical(/|$)")
_ORDERS = re.compile(r"/orders(/|$)")


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` requests within any `per_ms` milliseconds."""

    count: int
    per_ms: int


class SlidingWindows:
    """Counts requests against several rates at once; times are epoch or monotonic ms.

    A request counts against a rate for exactly `per_ms` milliseconds.
    """

    def __init__(self, rates: Sequence[Rate]) -> None:
        self._taken = [(rate, deque[int](maxlen=rate.count)) for rate in rates]

    def wait_ms(self, now_ms: int) -> int:
        """Return the milliseconds until a request may be sent; 0: now."""
        waits = (_wait_ms(rate, taken, now_ms) for rate, taken in self._taken)
        return max(waits, default=0)

    def take(self, now_ms: int) -> None:
        """Count a request that is sent now."""
        for _, taken in self._taken:
            taken.append(now_ms)

    def free(self, now_ms: int) -> int:
        """Return how many requests may be sent now."""
        return min(self.left(now_ms).values())

    def left(self, now_ms: int) -> dict[int, int]:
        """Return how many requests are left, by span in milliseconds.

        If several rates have the same span, the tightest one counts.
        """
        left: dict[int, int] = {}
        for rate, taken in self._taken:
            free = rate.count - _used(rate, taken, now_ms)
            left[rate.per_ms] = min(free, left.get(rate.per_ms, free))
        return left


def _wait_ms(rate: Rate, taken: deque[int], now_ms: int) -> int:
    if len(taken) < rate.count:
        return 0
    return max(0, taken[0] + rate.per_ms - now_ms)


def _used(rate: Rate, taken: deque[int], now_ms: int) -> int:
    return sum(at_ms + rate.per_ms > now_ms for at_ms in taken)


@dataclass(frozen=True, slots=True)
class KiteLimits:
    """What Kite allows on a day.

    `history_days` is days per call by interval; `cool_down_ms` is how long Kite refuses after a
    429; `margin_ms` is added to each rate's span, because network latency varies.
    """

    rates: Mapping[RequestClass, tuple[Rate, ...]]
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
    rates = _on(series["rates"], on)
    return KiteLimits(
        rates={name: tuple(Rate(*pair) for pair in rates[name]) for name in REQUEST_CLASSES},
        instruments_a_call=_on(series["instruments_a_call"], on),
        history_days=_on(series["history_days"], on),
        **_on(series["numbers"], on),
    )


@cache
def _load_series() -> dict[str, dict[str, DatedSeries[Any]]]:
    table = load_table("kite_limits.toml")
    sections = ("rates", "instruments_a_call", "history_days", "numbers")
    return {
        section: {name: _series(entries) for name, entries in table[section].items()}
        for section in sections
    }


def _series(entries: Iterable[dict[str, Any]]) -> DatedSeries[Any]:
    return DatedSeries(
        Span(entry["from"], entry["value"], entry.get("until"), entry.get("confirmed", True))
        for entry in entries
    )


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
