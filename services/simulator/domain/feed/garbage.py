"""Websocket frames that no client can parse."""

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

_COUNT_BYTES = 2
_UNKNOWN_LENGTH = 13
_MORE_PACKETS = 5


def spoilt(frame: bytes, what: str) -> bytes:
    """Return a frame with a wrong `count`, `cut` off, with an unknown `length`, or `random`."""
    return _WAYS[what](frame)


def _miscounted(frame: bytes) -> bytes:
    count = int.from_bytes(frame[:_COUNT_BYTES])
    return (count + _MORE_PACKETS).to_bytes(_COUNT_BYTES) + frame[_COUNT_BYTES:]


def _cut(frame: bytes) -> bytes:
    return frame[: -max(len(frame) // 3, 1)]


def _of_unknown_length(frame: bytes) -> bytes:
    body = frame[-_UNKNOWN_LENGTH:].rjust(_UNKNOWN_LENGTH, b"\0")
    return (1).to_bytes(_COUNT_BYTES) + _UNKNOWN_LENGTH.to_bytes(_COUNT_BYTES) + body


def _random(frame: bytes) -> bytes:
    return hashlib.sha512(frame).digest()


_WAYS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {"count": _miscounted, "cut": _cut, "length": _of_unknown_length, "random": _random}
)
