"""Signals of earlier days, out of the table `trading_signals`."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any, get_args
from uuid import UUID

from libs.events.event import utc_from_ms
from libs.market.instruments import underlying_name
from libs.store.store import Store
from services.signal.asked import Asked
from services.signal.domain.life import TRANSITIONS, Levels, Life, State, Step

Row = dict[str, Any]
_COLUMNS = (
    *("event_id", "occurred_at", "trading_day", "signal_id", "strategy", "underlying"),
    *("tradingsymbol", "action", "state", "reason", "details"),
    *("price", "stop_loss", "target", "confidence"),
)
_AFTER_VALIDATED = tuple(sorted(TRANSITIONS["VALIDATED"]))
_AFTER_ACTIVATED = tuple(sorted(TRANSITIONS["ACTIVATED"]))
# The state as `Life` has it: the first that follows counts, and a later one that cannot does not.
_FIRST = "argMinIf(state, (occurred_at, indexOf(%(states)s, state)), state IN {})"
_STATE = f"""multiIf(
countIf(state IN %(after_validated)s) = 0, if(countIf(state = 'VALIDATED') > 0, 'VALIDATED', 'NEW'),
{_FIRST.format("%(after_validated)s")} != 'ACTIVATED', {_FIRST.format("%(after_validated)s")},
countIf(state IN %(after_activated)s) = 0, 'ACTIVATED',
{_FIRST.format("%(after_activated)s")})"""


@dataclass(frozen=True, slots=True)
class StoredSignals:
    """Reads lives of signals; every call may raise the errors of the store."""

    store: Store

    async def last_day(self) -> date | None:
        """Return the latest trading day with a signal."""
        found = await self.store.query("SELECT max(trading_day) AS day FROM trading_signals FINAL")
        day: date = found["day"][0]
        return day if day > date(1970, 1, 1) else None

    async def page(self, asked: Asked) -> list[Life]:
        """Return the signals of a page, the newest first, and one of the next page."""
        found = await self.store.query(_page_query(asked), _page_params(asked))
        ids = found["id"]
        lives = {str(one.signal_id): one for one in await self._lives(ids, asked.day)}
        return [lives[one] for one in ids]

    async def life(self, signal_id: UUID) -> Life | None:
        """Return the life of a signal, None if it is not stored."""
        return next(iter(await self._lives([str(signal_id)])), None)

    async def _lives(self, ids: list[str], since: date = date(1970, 1, 1)) -> list[Life]:
        if not ids:
            return []
        rows = await self.store.query(
            f"SELECT {', '.join(_COLUMNS)} FROM trading_signals FINAL "  # noqa: S608  names only
            "WHERE trading_day >= %(since)s AND toString(signal_id) IN %(ids)s "
            "ORDER BY signal_id, occurred_at, indexOf(%(states)s, state)",
            {"since": since, "ids": tuple(ids), "states": list(get_args(State))},
        )
        return list(_lives_of(rows))


def _page_query(asked: Asked) -> str:
    # All days are read: an update of this day may be of a signal that began on an earlier one.
    rows, groups = ["true"], ["min(trading_day) = %(day)s"]
    if asked.symbol is not None:
        rows.append("(tradingsymbol = %(symbol)s OR underlying = %(underlying)s)")
    if asked.strategy is not None:
        rows.append("strategy = %(strategy)s")
    if asked.state is not None:
        groups.append(f"{_STATE} = %(state)s")
    if asked.before is not None:
        groups.append("(min(occurred_at), toString(signal_id)) < (%(at)s, %(id)s)")
    return (
        "SELECT toString(signal_id) AS id FROM trading_signals FINAL "  # noqa: S608  fixed parts
        f"WHERE {' AND '.join(rows)} GROUP BY signal_id HAVING {' AND '.join(groups)} "
        "ORDER BY min(occurred_at) DESC, id DESC LIMIT %(limit)s"
    )


def _page_params(asked: Asked) -> dict[str, object]:
    at_ms, signal_id = asked.place or (0, "")
    return {
        "day": asked.day,
        "symbol": asked.symbol or "",
        "underlying": underlying_name(asked.symbol or ""),
        "strategy": asked.strategy or "",
        "state": asked.state or "",
        "after_validated": _AFTER_VALIDATED,
        "after_activated": _AFTER_ACTIVATED,
        "states": list(get_args(State)),
        "at": utc_from_ms(at_ms),
        "id": signal_id,
        "limit": asked.limit + 1,
    }


def _lives_of(columns: dict[str, list[Any]]) -> Iterator[Life]:
    rows = (
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    )
    for _, of_one in groupby(rows, lambda row: row["signal_id"]):
        yield _life(list(of_one))


def _life(rows: list[Row]) -> Life:
    """Return a life; an event that was stored twice, with two days, counts once."""
    first, steps = rows[0], {row["event_id"]: _step(row) for row in reversed(rows)}
    return Life(
        signal_id=first["signal_id"],
        strategy=first["strategy"],
        underlying=first["underlying"],
        tradingsymbol=first["tradingsymbol"],
        action=first["action"],
        trading_day=first["trading_day"],
        began_at=first["occurred_at"],
        levels=_levels(first),
        steps=[*reversed(steps.values())],
    )


def _levels(row: Row) -> Levels | None:
    if math.isnan(row["price"]):
        return None
    return Levels(row["price"], row["stop_loss"], row["target"], row["confidence"])


def _step(row: Row) -> Step:
    numbers = json.loads(row["details"])
    return Step(row["event_id"], row["state"], row["occurred_at"], row["reason"], numbers)
