"""The updates of held contracts in a batch of ticks."""

from collections.abc import Collection, Iterator

import numpy as np

from libs.events.ticks import Column, TickBatch, TickColumns
from services.position.domain.seen_prices import Update

_OF_UPDATE = ("volume_traded", "bid_price", "ask_price", "last_trade_time")


def updates_of(
    batch: TickBatch, tokens: Collection[int], within_ms: int
) -> Iterator[tuple[int, Update]]:
    """Yield (instrument_token, update) of these contracts in the batch's order.

    Impossible prices, and times later than the clock or older than `within_ms`, are left out.
    Only rows of these contracts are looked at one by one.
    """
    of_held = batch.columns.take(_rows(batch.columns, tokens))
    if not len(of_held):
        return
    columns = batch.model_copy(update={"columns": of_held}).timely(within_ms)
    numbers = [_listed(getattr(columns, name), len(columns)) for name in _OF_UPDATE]
    rows = zip(
        columns.instrument_token.tolist(),
        columns.exchange_timestamp.tolist(),
        columns.last_price.tolist(),
        *numbers,
        strict=True,
    )
    for token, at_ms, last_price, volume, bid, ask, traded_ms in rows:
        yield token, Update(at_ms, last_price, int(traded_ms), int(volume), bid, ask)


def _rows(columns: TickColumns, tokens: Collection[int]) -> Column:
    return np.flatnonzero(np.isin(columns.instrument_token, list(tokens)))


def _listed(column: Column | None, rows: int) -> list[float]:
    return [0.0] * rows if column is None else column.tolist()
