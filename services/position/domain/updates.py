"""The updates of held contracts in a batch of ticks."""

from collections.abc import Iterator

import numpy as np

from libs.events.ticks import IMPOSSIBLE_PRICE, Column, TickBatch, TickColumns
from libs.market.arrays import IntArray
from services.position.domain.seen_prices import Update

_OPTIONAL = ("last_trade_time", "volume_traded", "bid_price", "ask_price")


def updates_of(
    batch: TickBatch, sorted_tokens: IntArray, within_ms: int
) -> Iterator[tuple[int, Update]]:
    """Yield (instrument_token, update) of these contracts in the batch's order.

    Impossible prices, and times later than the clock or older than `within_ms`, are left out.
    Only rows of these contracts are looked at one by one.
    """
    rows = _rows(batch.columns, sorted_tokens)
    if not len(rows):
        return
    held = batch.columns.take(rows)
    oldest_ms, latest_ms = batch.clock_ms - within_ms, batch.clock_ms
    for token, update in zip(held.instrument_token.tolist(), _updates(held), strict=True):
        is_timely = oldest_ms < update.at_ms <= latest_ms
        if is_timely and 0 < update.last_price < IMPOSSIBLE_PRICE and _has_sound_sides(update):
            yield token, update


def _rows(columns: TickColumns, sorted_tokens: IntArray) -> Column:
    """Return the rows of these tokens; np.isin takes ten times as long for a few of them."""
    if not len(sorted_tokens):
        return np.empty(0, np.int64)
    near = np.searchsorted(sorted_tokens, columns.instrument_token)
    near[near == len(sorted_tokens)] = 0
    return np.flatnonzero(sorted_tokens[near] == columns.instrument_token)


def _updates(columns: TickColumns) -> Iterator[Update]:
    optional = (_listed(getattr(columns, name), len(columns)) for name in _OPTIONAL)
    at_ms, last_price = columns.exchange_timestamp.tolist(), columns.last_price.tolist()
    return map(Update, at_ms, last_price, *optional)


def _listed(column: Column | None, rows: int) -> list[float]:
    return [0] * rows if column is None else column.tolist()


def _has_sound_sides(update: Update) -> bool:
    """Return whether no side has an impossible price; nan is a side without one."""
    return not (abs(update.bid) >= IMPOSSIBLE_PRICE or abs(update.ask) >= IMPOSSIBLE_PRICE)
