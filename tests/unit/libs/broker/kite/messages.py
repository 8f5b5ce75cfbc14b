"""Binary messages as Kite sends them, made of packets' bodies."""

import struct
from collections.abc import Sequence

from hypothesis import strategies as st

from libs.broker.kite.packets import LAYOUTS

SEGMENTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12)
LENGTHS = tuple(LAYOUTS)


def message(bodies: Sequence[bytes], count: int | None = None) -> bytes:
    """Return a message of these bodies; `count` claims another number of them."""
    number = len(bodies) if count is None else count
    return struct.pack(">H", number) + b"".join(map(with_length, bodies))


def with_length(body: bytes) -> bytes:
    """Return a packet: its length, then its body."""
    return struct.pack(">H", len(body)) + body


@st.composite
def bodies(draw: st.DrawFn, lengths: Sequence[int] = LENGTHS) -> bytes:
    """Draw the body of a packet of any layout and segment, with arbitrary values."""
    length = draw(st.sampled_from(lengths))
    token = draw(st.integers(0, 2**24 - 1)) * 256 + draw(st.sampled_from(SEGMENTS))
    values = draw(st.binary(min_size=length - 4, max_size=length - 4))
    return struct.pack(">I", token) + values


@st.composite
def runs_of_bodies(draw: st.DrawFn) -> list[bytes]:
    """Draw bodies in runs of one layout each, some longer than a window of the decoder."""
    drawn: list[bytes] = []
    for _ in range(draw(st.integers(0, 5))):
        body = draw(bodies())
        drawn += [body] * draw(st.sampled_from([1, 2, 3, 16, 17, 50]))
    return drawn
