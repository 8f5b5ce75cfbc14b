"""Trading days for benches: a board of 9,000 instruments, the demo's market, a recorded day."""

import os
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np

from libs.events.codec import decode, encode
from libs.events.instruments import InstrumentListed
from libs.events.ticks import COLUMN_TYPES, TickBatch, TickColumns
from libs.events.topics import MARKET_PARTITIONS
from libs.market.calendar import load_calendar
from libs.market.instruments import Instrument
from libs.market.rulebook import load_rulebook
from services.ingest.domain.connection import Connection
from services.ingest.domain.listing import listed
from services.ingest.recorded_feed import read_day
from services.ingest.recordings.place import Recordings
from services.simulator.domain.market.synthetic import SyntheticMarket

DAY = date(2026, 6, 17)
OPEN_MS = load_calendar().sessions("NSE", DAY)[0].open_ms
INSTRUMENTS, CONNECTIONS, BOARD_SECONDS = 9_000, 3, 220
RECORDED_DAY = date(2021, 6, 9)
RECORDED_DATA = "ALPHASTOCKS_RECORDED_DATA"


class BenchDay(NamedTuple):
    """What ingest published: instruments, and tick batches as their readers get them."""

    listing: Sequence[InstrumentListed]
    batches: Sequence[TickBatch]

    @property
    def ticks(self) -> int:
        """How many ticks there are."""
        return sum(len(batch.columns) for batch in self.batches)


def board() -> BenchDay:
    """Return minutes of 9,000 contracts on three connections: a frame of 3,000 a second on each.

    Of all ticks a fifth are trades, and half bring another quote.
    """
    each = INSTRUMENTS // CONNECTIONS
    batches: list[TickBatch] = []
    for number in range(CONNECTIONS):
        connection = Connection("bench", DAY, OPEN_MS, MARKET_PARTITIONS, number)
        tokens = (np.arange(each) + number * each + 35_000) * 256 + 2
        for second, columns in enumerate(_board_frames(tokens, seed=number)):
            batches += connection.cut(columns, OPEN_MS + second * 1000 + 130)
    listing = [_contract(number + 35_000) for number in range(INSTRUMENTS)]
    return BenchDay(_listing(listing, DAY, OPEN_MS), _published(batches))


def demo_day() -> BenchDay:
    """Return a part of the demo's day, about 14 ticks a batch."""
    market = SyntheticMarket(1, DAY, load_calendar(), load_rulebook())
    connection = Connection("bench", DAY, OPEN_MS, MARKET_PARTITIONS)
    batches = [
        batch for frame in market.frames() for batch in connection.cut(frame.columns, frame.at_ms)
    ]
    return BenchDay(_listing(market.instruments, DAY, OPEN_MS), _published(batches))


def recorded_day() -> BenchDay | None:
    """Return a recorded day, None where there is no such data on this machine."""
    folder = os.environ.get(RECORDED_DATA)
    if not folder or not (Path(folder) / RECORDED_DAY.isoformat()).is_dir():
        return None
    recording = read_day(Recordings(Path(folder)), RECORDED_DAY, None, load_calendar())
    opens_ms = recording.session.open_ms
    connection = Connection("bench", RECORDED_DAY, opens_ms, MARKET_PARTITIONS)
    batches = [
        batch
        for frame in recording.frames()
        for batch in connection.cut(frame.columns, frame.received_ms)
    ]
    return BenchDay(_listing(recording.instruments, RECORDED_DAY, opens_ms), _published(batches))


def _listing(instruments: Sequence[Instrument], day: date, opens_ms: int) -> list[InstrumentListed]:
    return [listed(one, day, opens_ms) for one in instruments]


def _published(batches: Sequence[TickBatch]) -> list[TickBatch]:
    found = [decode("ticks", encode(batch)) for batch in batches]
    return [batch for batch in found if isinstance(batch, TickBatch)]


def _board_frames(tokens: np.ndarray, seed: int) -> Iterator[TickColumns]:
    chance, count = np.random.default_rng(seed), len(tokens)
    price = chance.integers(40, 20_000, count)
    volume, last = np.zeros(count, np.int64), np.zeros(count, np.int64)
    traded_ms = np.full(count, OPEN_MS)
    sizes = {name: _lots(chance, count) for name in ("bid_quantity", "ask_quantity")}
    totals = {name: _lots(chance, count) * 40 for name in ("total_buy_quantity", "oi")}
    opened = price * 0.05
    for second in range(BOARD_SECONDS):
        at_ms = OPEN_MS + second * 1000
        is_trade, is_quote = chance.random(count) < 0.2, chance.random(count) < 0.5
        price = np.maximum(price + is_trade * chance.integers(-1, 2, count), 3)
        last = np.where(is_trade, _lots(chance, count), last)
        volume = volume + is_trade * last
        traded_ms = np.where(is_trade, at_ms, traded_ms)
        sizes = {name: np.where(is_quote, _lots(chance, count), v) for name, v in sizes.items()}
        totals = {name: v + is_quote * _lots(chance, count) for name, v in totals.items()}
        given = {
            "instrument_token": tokens,
            "exchange_timestamp": np.full(count, at_ms),
            "last_price": price * 0.05,
            "last_traded_quantity": last,
            "average_traded_price": np.round(price * 0.05, 1),
            "volume_traded": volume,
            "total_sell_quantity": totals["total_buy_quantity"] // 2,
            "bid_price": (price - 1) * 0.05,
            "ask_price": (price + 1) * 0.05,
            "last_trade_time": traded_ms,
            "open_price": opened,
            **sizes,
            **totals,
        }
        yield TickColumns(**{name: given[name].astype(kind) for name, kind in COLUMN_TYPES.items()})


def _lots(chance: np.random.Generator, count: int) -> np.ndarray:
    return chance.integers(1, 60, count) * 25


def _contract(exchange_token: int) -> Instrument:
    return Instrument(
        instrument_token=exchange_token * 256 + 2,
        exchange_token=exchange_token,
        tradingsymbol=f"NIFTY26623{exchange_token}CE",
        name="NIFTY",
        last_price=0.0,
        expiry=date(2026, 6, 23),
        strike=float(exchange_token),
        tick_size=Decimal("0.05"),
        lot_size=25,
        instrument_type="CE",
        segment="NFO-OPT",
        exchange="NFO",
    )
