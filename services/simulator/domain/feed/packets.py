"""Kite's binary websocket frames, cut out of the full packets of one second."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.broker.kite.packets import FULL, INDEX_FULL, INDEX_QUOTE, LTP, QUOTE
from libs.market.arrays import IntArray

MODES: Mapping[str, int] = {"ltp": 1, "quote": 2, "full": 3}
"""Kite's modes, the lesser ones first; 0 stands for what is not subscribed."""

MAX_PACKETS = 3000
_COUNT = np.dtype(">u2")
_SIZES = (0, LTP.itemsize, QUOTE.itemsize, FULL.itemsize)
_INDEX_SIZES = (0, LTP.itemsize, INDEX_QUOTE.itemsize, INDEX_FULL.itemsize)


@dataclass(frozen=True, slots=True, eq=False)
class TickRows:
    """Packets of one second as full bodies, each kind in the order of arrival."""

    index: NDArray[np.void]
    full: NDArray[np.void]

    def __len__(self) -> int:
        return self.index.size + self.full.size

    @staticmethod
    def empty() -> "TickRows":
        """No packets."""
        return TickRows(np.empty(0, INDEX_FULL), np.empty(0, FULL))

    @staticmethod
    def joined(first: "TickRows", then: "TickRows") -> "TickRows":
        """Packets of both, one after the other."""
        # without a type numpy would give the machine's own order of bytes
        return TickRows(
            np.concatenate((first.index, then.index), dtype=INDEX_FULL),
            np.concatenate((first.full, then.full), dtype=FULL),
        )


class Subscription:
    """Which tokens a connection follows in which mode; commands may repeat themselves."""

    def __init__(self) -> None:
        self._mode_of: dict[int, int] = {}
        self._keep_sorted()

    def __len__(self) -> int:
        return len(self._mode_of)

    def __contains__(self, instrument_token: object) -> bool:
        return instrument_token in self._mode_of

    @property
    def tokens(self) -> frozenset[int]:
        """The tokens subscribed."""
        return frozenset(self._mode_of)

    def subscribe(self, instrument_tokens: Iterable[int]) -> None:
        """Follow tokens, those not yet followed in quote mode."""
        for token in instrument_tokens:
            self._mode_of.setdefault(token, MODES["quote"])
        self._keep_sorted()

    def unsubscribe(self, instrument_tokens: Iterable[int]) -> None:
        """Follow tokens no longer."""
        for token in instrument_tokens:
            self._mode_of.pop(token, None)
        self._keep_sorted()

    def set_mode(self, mode: str, instrument_tokens: Iterable[int]) -> None:
        """Change the mode of tokens already followed; raises ValueError for an unknown mode."""
        if mode not in MODES:
            raise ValueError(f"mode {mode!r} is none of {', '.join(MODES)}")
        for token in instrument_tokens:
            if token in self._mode_of:
                self._mode_of[token] = MODES[mode]
        self._keep_sorted()

    def modes(self, instrument_tokens: IntArray) -> NDArray[np.uint8]:
        """Mode of each token, 0 where it is not followed."""
        if not len(self):
            return np.zeros(instrument_tokens.size, np.uint8)
        near = np.minimum(np.searchsorted(self._tokens, instrument_tokens), len(self) - 1)
        is_followed = self._tokens[near] == instrument_tokens
        return np.where(is_followed, self._modes[near], 0).astype(np.uint8)

    def _keep_sorted(self) -> None:
        self._tokens = np.array(sorted(self._mode_of), np.int64)
        self._modes = np.array([self._mode_of[token] for token in sorted(self._mode_of)], np.uint8)


def frames(rows: TickRows, subscription: Subscription) -> list[bytes]:
    """Binary messages of at most 3,000 packets; none where nothing of it is subscribed.

    Packets of one token keep their order of arrival; indices come first.
    """
    packets = [
        *_by_mode(rows.index, _INDEX_SIZES, subscription),
        *_by_mode(rows.full, _SIZES, subscription),
    ]
    count = sum(len(part) for part in packets)
    if count <= MAX_PACKETS:
        return [_frame(packets)] if count else []
    return [_frame([piece]) for part in packets for piece in _pieces(part)]


def _by_mode(
    bodies: NDArray[np.void], sizes: tuple[int, ...], subscription: Subscription
) -> Iterator[NDArray[np.uint8]]:
    """Packets of each mode as bytes, shape (packets, 2 + length of the body)."""
    if not bodies.size:
        return
    modes = subscription.modes(bodies["instrument_token"].astype(np.int64))
    octets = np.ascontiguousarray(bodies).view(np.uint8).reshape(bodies.size, -1)
    for mode in np.unique(modes[modes > 0]).tolist():
        yield _packets(octets, modes == mode, sizes[mode])


def _packets(octets: NDArray[np.uint8], chosen: NDArray[np.bool_], size: int) -> NDArray[np.uint8]:
    rows = np.flatnonzero(chosen)
    packets = np.empty((rows.size, _COUNT.itemsize + size), np.uint8)
    packets[:, : _COUNT.itemsize] = np.frombuffer(_counted(size), np.uint8)
    packets[:, _COUNT.itemsize :] = octets[rows, :size]
    return packets


def _pieces(packets: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    return (packets[at : at + MAX_PACKETS] for at in range(0, len(packets), MAX_PACKETS))


def _frame(packets: Iterable[NDArray[Any]]) -> bytes:
    parts = list(packets)
    return _counted(sum(len(part) for part in parts)) + b"".join(part.tobytes() for part in parts)


def _counted(number: int) -> bytes:
    return np.array(number, _COUNT).tobytes()
