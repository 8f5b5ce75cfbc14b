"""Which history is stored, and what a broker was asked for before."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from libs.runtime.logs import logger_of
from libs.store.errors import StoreError
from libs.store.store import Params, Store
from services.ingest.domain.missing_history import Kept, KeptDay, Series

_STORED = """
SELECT exchange, tradingsymbol, expiry, interval, trading_day, count() AS stored
FROM historical_data FINAL
WHERE source = 'backfill' AND trading_day BETWEEN %(since)s AND %(until)s
GROUP BY exchange, tradingsymbol, expiry, interval, trading_day
"""
_ASKED = """
SELECT exchange, tradingsymbol, expiry, interval, trading_day,
       argMax(candles, asked_on) AS had, uniqExactIf(asked_on, asked_on > trading_day) AS asked
FROM history_fetched FINAL
WHERE origin = %(origin)s AND trading_day BETWEEN %(since)s AND %(until)s
GROUP BY exchange, tradingsymbol, expiry, interval, trading_day
"""
_NO_EXPIRY = date(1970, 1, 1)


async def kept_history(store: Store | None, origin: str, since: date, until: date) -> Kept:
    """Return what is kept of each series and day, both days included; nothing without a store.

    Where the store cannot be read that is logged, and all is asked for anew.
    """
    if store is None:
        return {}
    given = {"origin": origin, "since": since, "until": until}
    try:
        stored, asked = await _rows(store, _STORED, given), await _rows(store, _ASKED, given)
    except StoreError as error:
        reason = str(error)
        logger_of("ingest").warning(
            "the stored history cannot be read: all is fetched", reason=reason
        )
        return {}
    return _joined(stored, asked)


async def _rows(store: Store, sql: str, given: Params) -> list[dict[str, Any]]:
    columns = await store.query(sql, given)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _joined(
    stored: Iterable[Mapping[str, Any]], asked: Iterable[Mapping[str, Any]]
) -> dict[Series, dict[date, KeptDay]]:
    kept: dict[Series, dict[date, KeptDay]] = {}
    for row in stored:
        kept.setdefault(_series(row), {})[row["trading_day"]] = KeptDay(int(row["stored"]))
    for row in asked:
        days, day = kept.setdefault(_series(row), {}), row["trading_day"]
        there = days[day].stored if day in days else 0
        days[day] = KeptDay(there, int(row["had"]), int(row["asked"]))
    return kept


def _series(row: Mapping[str, Any]) -> Series:
    expiry = None if row["expiry"] == _NO_EXPIRY else row["expiry"]
    return row["exchange"], row["tradingsymbol"], expiry, row["interval"]
