"""The books out of the database: positions, fills, and the premiums of decisions."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from libs.store.store import Store
from services.local.report.books import Kept, Period
from services.position.domain.booked import BookedFill
from services.position.stored import StoredTrades, rows_of

_FILL_COLUMNS = (
    *("trading_day", "occurred_at", "order_id", "broker_order_id", "fill_id", "position_id"),
    *("signal_id", "leg", "mode", "exchange", "tradingsymbol", "transaction_type", "quantity"),
    *("filled_quantity", "price"),
)
# Of a position with a fill in the period, its earlier fills are read too.
_FILLS = f"""
SELECT {", ".join(_FILL_COLUMNS)} FROM orders FINAL
WHERE type = 'OrderFilled' AND trading_day <= %(last)s
AND (toString(position_id) IN %(ids)s OR position_id IN (
    SELECT position_id FROM orders FINAL
    WHERE type = 'OrderFilled' AND trading_day >= %(first)s AND trading_day <= %(last)s
))
ORDER BY occurred_at, filled_quantity
"""  # noqa: S608  names only
_PREMIUMS = """
SELECT signal_id, premium FROM decisions FINAL
WHERE outcome = 'executed' AND premium > 0 AND toString(signal_id) IN %(ids)s
"""


async def last_day(store: Store) -> date | None:
    """Return the latest day with a fill; the store's errors may be raised."""
    found = await store.query(
        "SELECT max(trading_day) AS day FROM orders FINAL WHERE type = 'OrderFilled'"
    )
    day: date = found["day"][0]
    return day if day > date(1970, 1, 1) else None


async def read_stored(store: Store, period: Period) -> Kept:
    """Return what a database keeps of a period; the store's errors may be raised."""
    trades = await StoredTrades(store).of_days(*period)
    days = {"first": period.first, "last": period.last}
    positions = _ids(one.position_id for one in trades)
    fills = rows_of(await store.query(_FILLS, days | {"ids": positions}))
    signals = _ids(one.signal_id for one in trades)
    decided = rows_of(await store.query(_PREMIUMS, {"ids": signals}))
    premiums = {row["signal_id"]: Decimal(str(round(row["premium"], 2))) for row in decided}
    return Kept(trades, [_fill(row) for row in fills], premiums)


def _ids(found: Iterable[object]) -> tuple[str, ...]:
    """Return ids for IN, which must not be empty."""
    return ("", *map(str, found))


def _fill(row: dict[str, Any]) -> BookedFill:
    """Return the fill of a row; how large its order was is not in it."""
    day, exchange = row["trading_day"], row["exchange"]
    fields = {name: row[name] for name in _FILL_COLUMNS}
    fields["at"], fields["fill_quantity"] = fields.pop("occurred_at"), fields.pop("quantity")
    fields["fill_price"] = fields.pop("price")
    key = "/".join((day.isoformat(), exchange, row["broker_order_id"], row["fill_id"]))
    return BookedFill(key=key, quantity=0, **fields)
