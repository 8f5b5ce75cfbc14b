"""How many requests the exchange takes, and its refusal of more."""

from libs.broker.kite.limits import (
    REQUEST_CLASSES,
    KiteLimits,
    RequestClass,
    SlidingWindows,
    class_of,
)
from services.simulator.domain.errors import TooManyRequests


class RequestLimits:
    """Counts the account's requests by class; times are monotonic ms.

    After a refusal the class is refused until Kite has cooled down.
    """

    def __init__(self, limits: KiteLimits) -> None:
        self._cool_down_ms = limits.cool_down_ms
        self._windows = {name: SlidingWindows(limits.rates[name]) for name in REQUEST_CLASSES}
        self._refused_until_ms: dict[RequestClass, int] = {}

    def take(self, method: str, path: str, now_ms: int) -> None:
        """Count a request; raises TooManyRequests instead where it is one too many."""
        name = class_of(method, path)
        if now_ms < self._refused_until_ms.get(name, now_ms):
            raise TooManyRequests("Too many requests")
        if self._windows[name].wait_ms(now_ms) > 0:
            self._refused_until_ms[name] = now_ms + self._cool_down_ms
            raise TooManyRequests("Too many requests")
        self._windows[name].take(now_ms)
