"""Trading days for benches: a board of 9,000 instruments, the demo's market, a recorded day."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np

from libs.events.codec import decode, encode
from libs.events.instruments import InstrumentListed
from libs.events.ticks import TickBatch, TickColumns
from libs.events.topics import MARKET_PARTITIONS
from libs.market.calendar import load_calendar
from libs.market.instruments import Instrument
from libs.market.rulebook import load_rulebook
from services.ingest.domain.connection import Connection
from services.ingest.domain.listing import listed
from services.ingest.recorded_feed import read_day
from services.ingest.recordings.place import Recordings
from services.simulator.domain.market.chain import SyntheticChain
from services.simulator.domain.market.synthetic import SyntheticMarket

DAY = date(2026, 6, 17)
OPEN_MS = load_calendar().sessions("NSE", DAY)[0].open_ms
CONNECTIONS, EACH, BOARD_SECONDS = 3, 3_000, 220
STRIKES, HOUR_MS = 100, 3_600_000
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
    """Return minutes of the simulator's options, on three connections: 3,000 a second on each."""
    market = SyntheticMarket(1, DAY, load_calendar(), load_rulebook())
    rules = load_rulebook(), load_calendar()
    spots = market.spots(OPEN_MS)
    chain = SyntheticChain(1, DAY, market.underlyings, spots, *rules, STRIKES, expiry_count=3)
    connections = [
        Connection("bench", DAY, OPEN_MS, MARKET_PARTITIONS, number)
        for number in range(CONNECTIONS)
    ]
    opened = chain.quotes(spots, OPEN_MS).last_price
    batches: list[TickBatch] = []
    for at_ms in range(OPEN_MS + HOUR_MS, OPEN_MS + HOUR_MS + BOARD_SECONDS * 1000, 1000):
        quotes = _full(chain.quotes(market.spots(at_ms), at_ms), opened)
        for number, connection in enumerate(connections):
            share = quotes.take(slice(number * EACH, (number + 1) * EACH))
            batches += connection.cut(share, at_ms + 130)
    contracts = chain.contracts[: EACH * CONNECTIONS]
    return BenchDay(_listing(contracts, DAY, OPEN_MS), _published(batches))


def _full(quotes: TickColumns, opened: np.ndarray) -> TickColumns:
    """Return quotes with the columns that only Kite's full mode has."""
    average = np.round((quotes.last_price + opened) / 2, 2)
    last_trade_time = quotes.exchange_timestamp
    return replace(
        quotes,
        average_traded_price=average,
        last_trade_time=last_trade_time,
        open_price=opened,
    )


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
