"""How fast frames of ticks are decoded, beside the official client's parser on the same frames."""

import struct
import time
from collections.abc import Callable
from statistics import median

import numpy as np
from kiteconnect import KiteTicker

from libs.broker.kite.frames import decode
from libs.broker.kite.packets import FULL

TICKS = 500
RECEIVED_MS = 1_760_000_000_000


def full_mode_frame(ticks: int = TICKS, seed: int = 1) -> bytes:
    """Return a frame of full-mode packets of options, with the fields of a busy market."""
    random = np.random.default_rng(seed)
    packets = np.zeros(ticks, FULL)
    packets["instrument_token"] = random.integers(10_000, 60_000, ticks) * 256 + 2
    for name in ("last_price", "average_traded_price", "open", "high", "low", "close"):
        packets[name] = random.integers(5, 200_000, ticks)
    for name in ("last_traded_quantity", "volume_traded", "total_buy_quantity", "oi"):
        packets[name] = random.integers(0, 10_000_000, ticks)
    packets["exchange_timestamp"] = packets["last_trade_time"] = RECEIVED_MS // 1_000
    for side in ("buy", "sell"):
        packets[side]["price"] = random.integers(5, 200_000, (ticks, 5))
        packets[side]["quantity"] = random.integers(0, 100_000, (ticks, 5))
    length = struct.pack(">H", FULL.itemsize)
    return struct.pack(">H", ticks) + b"".join(length + packet.tobytes() for packet in packets)


def measure() -> dict[str, float]:
    """Return ticks a second of both decoders, and how many times as fast ours is.

    Each is the median over frames of the best run of each frame: where a frame lies in memory, and
    what else the machine does, tells by a quarter.
    """
    parse = KiteTicker("key", "token")._parse_binary
    frames = [full_mode_frame(seed=seed) for seed in range(20)]
    ours, theirs = [], []
    for frame in frames:
        ours.append(_ticks_per_s(_decode_wholly, frame, calls=40, runs=60))
        theirs.append(_ticks_per_s(parse, frame, calls=1, runs=6))
    decoded, parsed = median(ours), median(theirs)
    return {
        "decode_ticks_per_s": decoded,
        "kiteticker_ticks_per_s": parsed,
        "decode_vs_kiteticker": decoded / parsed,
    }


def _decode_wholly(frame: bytes) -> object:
    return decode(frame).columns(RECEIVED_MS)


def _ticks_per_s(parse: Callable[[bytes], object], frame: bytes, calls: int, runs: int) -> float:
    return max(_once(parse, frame, calls) for _ in range(runs))


def _once(parse: Callable[[bytes], object], frame: bytes, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        parse(frame)
    return calls * TICKS / (time.perf_counter() - start)
