"""How many ticks a second positions take, and how long an exit takes to be asked for.

A hundred contracts are held among 9,000 that tick each second; batches are those of one partition.
Ticks go in as bytes; exit requests come out as bytes. Beside the first figure stands what decoding
alone takes; beside the second the decoding of its one tick and the encoding of its request.
"""

import gc
import time
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from statistics import median, quantiles

import numpy as np

from libs.events.codec import decode, encode
from libs.events.event import identity, ms_from_utc, utc_from_ms
from libs.events.instruments import Contract
from libs.events.orders import OrderFilled
from libs.events.positions import ExitRequested
from libs.events.ticks import COLUMN_TYPES, TickBatch, TickColumns
from libs.events.topics import MARKET_PARTITIONS
from libs.market.calendar import IST, load_calendar
from libs.market.instruments import partition_of
from libs.market.rulebook import load_rulebook
from services.position.domain.exit_rules.settings import ExitSettings, exit_rules
from services.position.domain.open_positions import OpenPositions

DAY, EXPIRY = date(2026, 6, 10), date(2026, 6, 16)
START_MS = ms_from_utc(datetime(2026, 6, 10, 10, 30, tzinfo=IST))
HELD, CONTRACTS, SECONDS, REPEATS = 100, 9000, 130, 3
PAID = 100.0


def measure() -> dict[str, float]:
    """Return ticks a second, best of a few, and the 99th percentile of an exit in microseconds."""
    values = [encode(batch) for second in range(SECONDS) for batch in market(second)]
    ticks = CONTRACTS * SECONDS
    taken = ticks / min(_taken(values) for _ in range(REPEATS))
    decoded = ticks / min(_decoded(values) for _ in range(REPEATS))
    exits, bytes_alone = _exits()
    return {
        "positions_ticks_per_s": taken,
        "positions_decoded_ticks_per_s": decoded,
        "positions_vs_decoded": taken / decoded,
        "exit_decision_us": 1e6 * quantiles(exits, n=100)[98],
        "exit_decision_median_us": 1e6 * median(exits),
        "exit_decision_bytes_us": 1e6 * median(bytes_alone),
    }


def token(number: int) -> int:
    """Return the token of a contract; the first HELD are held."""
    return (40_000 + number) * 256 + 2


def market(second: int) -> Iterator[TickBatch]:
    """Yield the batches of a second: a tick of each contract, as full mode has it."""
    every = np.array([token(number) for number in range(CONTRACTS)])
    partition = partition_of(every, MARKET_PARTITIONS)
    order = np.random.default_rng(2).permutation(CONTRACTS)
    price = PAID + np.random.default_rng(second).integers(-30, 31, CONTRACTS) * 0.05
    for number in range(MARKET_PARTITIONS):
        rows = order[partition[order] == number]
        yield ticks(every[rows], price[rows], START_MS + 2000 + 1000 * second, second, number)


def ticks(
    tokens: np.ndarray, price: np.ndarray, at_ms: int, second: int, partition: int = 0
) -> TickBatch:
    """Return a batch of trades at a time (epoch ms), with every column."""
    volume = np.full(tokens.size, 1000 + second)
    given = {
        "instrument_token": tokens,
        "exchange_timestamp": np.full(tokens.size, at_ms),
        "last_price": price,
        "bid_price": price - 0.05,
        "ask_price": price + 0.05,
        "last_trade_time": np.full(tokens.size, at_ms),
    }
    columns = {name: given.get(name, volume).astype(kind) for name, kind in COLUMN_TYPES.items()}
    event_id = identity("bench ticks", second, partition)
    return TickBatch(
        event_id=event_id,
        occurred_at=utc_from_ms(at_ms),
        trading_day=DAY,
        correlation_id=event_id,
        source="bench",
        connection=0,
        sequence=second,
        partition=partition,
        clock_ms=at_ms,
        received_ms=at_ms,
        columns=TickColumns(**columns),
    )


def positions() -> OpenPositions:
    """Return a hundred open positions, bought at 100 with a stop at 70 and a target at 160."""
    held = OpenPositions(load_rulebook(), exit_rules(ExitSettings(), load_calendar()))
    for number in range(HELD):
        held.on_event(_fill(number), START_MS)
    if len(held.open_tokens) != HELD:
        raise RuntimeError("not every fill has opened a position")
    return held


def _fill(number: int) -> OrderFilled:
    fill_id = f"trade-{number}"
    return OrderFilled(
        event_id=identity("bench fill", number),
        occurred_at=utc_from_ms(START_MS),
        trading_day=DAY,
        correlation_id=identity("bench candle", number),
        order_id=identity("bench order", number),
        tag=f"TAG{number}",
        signal_id=identity("bench signal", number),
        position_id=identity("bench position", number),
        strategy="bench",
        leg="entry",
        mode="paper",
        contract=_contract(number),
        transaction_type="BUY",
        quantity=65,
        action="BUY",
        tradingsymbol="NIFTY 50",
        stop_loss=Decimal(70),
        target=Decimal(160),
        premium=Decimal(100),
        broker_order_id=fill_id,
        fill_id=fill_id,
        fill_quantity=65,
        fill_price=Decimal(100),
        filled_quantity=65,
        average_price=Decimal(100),
    )


def _contract(number: int) -> Contract:
    return Contract(
        exchange="NFO",
        tradingsymbol=f"NIFTY26616{20_000 + 50 * number}CE",
        instrument_token=token(number),
        underlying="NIFTY",
        expiry=EXPIRY,
        strike=20_000.0 + 50 * number,
        instrument_type="CE",
        lot_size=65,
        tick_size=Decimal("0.05"),
    )


def _taken(values: Sequence[bytes]) -> float:
    """Return the seconds for all ticks, with the checks of each second and a mark a minute."""
    held = positions()
    made = 0
    started = time.perf_counter()
    for value in values:
        batch = decode("ticks", value)
        made += len(held.on_event(batch, batch.occurred_ms))
    took = time.perf_counter() - started
    if made != 2 * HELD:
        raise RuntimeError(f"two marks of each position are due, not {made} events")
    return took


def _decoded(values: Sequence[bytes]) -> float:
    started = time.perf_counter()
    for value in values:
        decode("ticks", value)
    return time.perf_counter() - started


def _exits() -> tuple[list[float], list[float]]:
    """Return the seconds from the tick that meets a stop to its request, and of the bytes alone.

    The market stands in the same second throughout, but for every tenth exit: that one comes with
    the check of all positions.
    """
    exits, bytes_alone = [], []
    for _ in range(10):
        held = positions()
        for batch in market(0):
            held.on_event(batch, batch.occurred_ms)
        gc.freeze()  # as a process does when it has started
        for number in range(HELD):
            value = encode(_met(number, at_ms := START_MS + 3000 + 100 * number))
            began = time.perf_counter()
            requests = [encode(one) for one in held.on_event(decode("ticks", value), at_ms)]
            exits.append(time.perf_counter() - began)
            bytes_alone.append(_bytes_alone(value, _request_of(requests)))
    return exits, bytes_alone


def _met(number: int, at_ms: int) -> TickBatch:
    return ticks(np.array([token(number)]), np.array([60.0]), at_ms, 100 + number)


def _request_of(requests: Sequence[bytes]) -> ExitRequested:
    for value in requests:
        if b'"ExitRequested"' in value:
            event = decode("exit_requests", value)
            if isinstance(event, ExitRequested):
                return event
    raise RuntimeError("a stop was met, and no exit was asked for")


def _bytes_alone(value: bytes, request: ExitRequested) -> float:
    began = time.perf_counter()
    decode("ticks", value)
    encode(request)
    return time.perf_counter() - began
