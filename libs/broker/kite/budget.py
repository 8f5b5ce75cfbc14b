"""How many requests of a class may be sent now, counted for all of its lanes, from any thread."""

import threading

from libs.broker.errors import RateLimited
from libs.broker.kite.limits import DAY_MS, KiteLimits, Rate, RequestClass, SlidingWindows


class Budget:
    """The rates of a class of requests, and the pause after a 429; any thread may ask it.

    A rate of a whole day counts by the day: `begin_day` starts anew, `count_day` raises the count
    to what is known of the account.
    """

    def __init__(self, limits: KiteLimits, request_class: RequestClass) -> None:
        rates, kept = limits.rates[request_class], limits.kept.get(request_class, ())
        self._margin_ms = limits.margin_ms
        self._windows = SlidingWindows(
            [Rate(one.count, one.per_ms + self._margin_ms) for one in rates if one.per_ms < DAY_MS],
            {one.per_ms + self._margin_ms: one.count for one in kept},
        )
        self._a_day = min((one.count for one in rates if one.per_ms >= DAY_MS), default=0)
        self._kept_a_day = max((one.count for one in kept if one.per_ms >= DAY_MS), default=0)
        self._used_today = 0
        self._paused_until_ms = 0
        self._lock = threading.Lock()
        self.longest_wait_ms = limits.cool_down_ms + self._margin_ms
        """A request that would have to wait longer is refused."""

    def wait_ms(self, now_ms: int, *, keeps: bool = False) -> int:
        """Return the milliseconds until a request may be sent; 0: now.

        With `keeps` a share is left over for requests that are urgent.
        """
        with self._lock:
            if self._is_day_used_up(keeps):
                return DAY_MS
            waits = self._windows.wait_ms(now_ms, keeps=keeps), self._paused_until_ms - now_ms
            return max(0, *waits)

    def take(self, now_ms: int) -> int:
        """Count a request, and return the time that it counts by."""
        with self._lock:
            self._windows.take(now_ms)
            self._used_today += 1
        return now_ms

    def leave(self, taken_ms: int, now_ms: int, *, keeps: bool = False) -> int:
        """Count a request from the moment in which it leaves, and return that time.

        Raises RateLimited if it leaves later than it was counted, and there is no room now.
        """
        if now_ms - taken_ms <= self._margin_ms:
            return taken_ms
        with self._lock:
            self._windows.give_back(taken_ms)
            wait_ms = self._windows.wait_ms(now_ms, keeps=keeps)
            if wait_ms:
                raise RateLimited("its place in the rate limit is gone", wait_ms)
            self._windows.take(now_ms)
        return now_ms

    def pause(self, until_ms: int) -> None:
        """Send nothing until then."""
        with self._lock:
            self._paused_until_ms = max(self._paused_until_ms, until_ms)

    def note(self, at_ms: int, now_ms: int) -> None:
        """Count a request that somebody else sent."""
        with self._lock:
            self._windows.note(at_ms, now_ms)

    def begin_day(self) -> None:
        """Count the requests of a day anew."""
        with self._lock:
            self._used_today = 0

    def count_day(self, used: int) -> None:
        """Note that at least so many requests were sent today."""
        with self._lock:
            self._used_today = max(self._used_today, used)

    def left(self, now_ms: int) -> dict[int, int]:
        """Return how many requests are left now by the span of each rate, in milliseconds."""
        with self._lock:
            left = self._windows.left(now_ms)
            left = {span_ms - self._margin_ms: free for span_ms, free in left.items()}
            if self._a_day:
                left[DAY_MS] = max(0, self._a_day - self._used_today)
            return left

    def _is_day_used_up(self, keeps: bool) -> bool:
        kept = self._kept_a_day if keeps else 0
        return bool(self._a_day) and self._used_today >= max(1, self._a_day - kept)
