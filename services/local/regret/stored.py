"""Decisions with their candidates, as the executor has stored them."""

import json
from collections.abc import Mapping
from datetime import date
from uuid import UUID

from libs.events.event import ms_from_utc
from libs.store.store import Store
from services.local.regret.cases import Case, RegretError, candidates_of

_DECISIONS = """
SELECT signal_id, occurred_at, trading_day, underlying, tradingsymbol, lots, candidates
FROM decisions FINAL
WHERE outcome != 'refused' AND trading_day BETWEEN %(first)s AND %(last)s
ORDER BY occurred_at, signal_id
"""
_STRATEGIES = """
SELECT signal_id, any(strategy) AS strategy FROM trading_signals FINAL
WHERE trading_day BETWEEN %(first)s AND %(last)s GROUP BY signal_id
"""


async def stored_cases(store: Store, first: date, last: date) -> list[Case]:
    """Return the decisions of some days that chose one of several; RegretError without any.

    The plans of their entries are not stored whole: the exits are those of the strategies'
    profiles, as for decisions that were only logged.
    """
    days = {"first": first, "last": last}
    found = await store.query(_DECISIONS, days)
    strategies = await _strategies(store, days)
    names = ("signal_id", "occurred_at", "trading_day", "underlying", "tradingsymbol", "lots")
    rows = zip(*(found[name] for name in (*names, "candidates")), strict=True)
    cases = [
        Case(
            signal_id=signal_id,
            decided_ms=ms_from_utc(at),
            day=day,
            strategy=strategies.get(signal_id, ""),
            underlying=underlying,
            action="",
            chosen=chosen,
            lots=lots,
            candidates=candidates_of(json.loads(candidates)),
        )
        for signal_id, at, day, underlying, chosen, lots, candidates in rows
    ]
    several = [case for case in cases if len(case.candidates) > 1]
    if not several:
        raise RegretError(
            f"none of {len(cases)} stored decisions of {first} to {last} chose one of several"
        )
    return several


async def _strategies(store: Store, days: Mapping[str, date]) -> dict[UUID, str]:
    found = await store.query(_STRATEGIES, days)
    return dict(zip(found["signal_id"], found["strategy"], strict=True))
