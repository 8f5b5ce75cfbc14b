"""The moment before a request leaves: its connection is open, and nothing of it is written yet.

Connecting can take seconds, so what must hold when an order is sent is asked here, not before.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

MayLeave = Callable[[], None]
"""Called in the thread of a request before it leaves; raises BrokerError to keep it back."""

_in_thread = threading.local()


class Passage:
    """What is asked before a request leaves, and whether one has left since."""

    def __init__(self, may_leave: MayLeave) -> None:
        self._may_leave = may_leave
        self.has_left = False

    def leave(self) -> None:
        """Raise what keeps the request back, or note that it leaves."""
        self._may_leave()
        self.has_left = True


@contextmanager
def passage(may_leave: MayLeave) -> Iterator[Passage]:
    """Ask this before each request of this thread."""
    _in_thread.passage = made = Passage(may_leave)
    try:
        yield made
    finally:
        del _in_thread.passage


def _leave() -> None:
    current: Passage | None = getattr(_in_thread, "passage", None)
    if current is not None:
        current.leave()


class _Connection(HTTPConnection):
    def request(self, *args: Any, **options: Any) -> None:
        if self.is_closed:
            self.connect()
        _leave()
        super().request(*args, **options)


class _SecureConnection(HTTPSConnection):
    def request(self, *args: Any, **options: Any) -> None:
        if self.is_closed:
            self.connect()
        _leave()
        super().request(*args, **options)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class LeavingAdapter(HTTPAdapter):
    """The transport of `requests`, whose connections ask before a request leaves."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Let all direct connections ask."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Let all connections by a proxy ask."""
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager
