"""The official client's parser, as the judge of what the board sends."""

from collections.abc import Iterable
from typing import Any

from kiteconnect import KiteTicker


def parsed(frames: Iterable[bytes]) -> list[dict[str, Any]]:
    """Give the ticks that the official client reads out of binary messages."""
    ticker = KiteTicker("key", "token")
    return [tick for frame in frames for tick in ticker._parse_binary(frame)]
