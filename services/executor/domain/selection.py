"""StrikeSelector: filters a chain's contracts, scores the rest and chooses one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from libs.market.arrays import IntArray
from libs.market.instruments import Instrument
from libs.market.option_chain import ChainView, strikes_from_atm
from services.executor.domain.policy import ChainFilter, Numbers, Refusal, ScoreWeights

Floats = NDArray[np.float64]
_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Candidate:
    """A contract of the right type near the money: its quote, and its score.

    `refusal` is empty for one that may be traded; terms and score are 0..1.
    """

    tradingsymbol: str
    instrument_token: int
    strike: float
    strikes_from_atm: int
    last_price: float
    bid_price: float
    ask_price: float
    ask_quantity: int
    volume: int
    oi: int
    implied_volatility: float
    delta: float
    spread_fraction: float
    quote_age_seconds: float
    refusal: str
    distance_term: float = 0.0
    delta_term: float = 0.0
    volatility_term: float = 0.0
    liquidity_term: float = 0.0
    spread_term: float = 0.0
    score: float = 0.0

    def row(self) -> dict[str, int | float | str | None]:
        """Return the row of the decision's table; unknown values are None.

        What was computed is rounded, so that it is the same on every kind of processor.
        """
        return {name: _known(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Selection:
    """All candidates, by strike, and the chosen one or why there is none."""

    candidates: tuple[Candidate, ...]
    chosen: Candidate | None
    refusal: Refusal | None


def select(
    view: ChainView,
    contracts: Sequence[Instrument],
    action: Literal["BUY", "SELL"],
    now_ms: int,
    chain: ChainFilter,
    weights: ScoreWeights,
) -> Selection:
    """Choose a call for BUY or a put for SELL within the filter's distance of the money."""
    steps = strikes_from_atm(view.strike, view.spot)
    is_wanted = view.is_call == (action == "BUY")
    near = np.flatnonzero(is_wanted & (np.abs(steps) <= chain.strikes_from_atm))
    seen = _candidates(view, near, steps, contracts, now_ms, chain)
    eligible = [candidate for candidate in seen if not candidate.refusal]
    scored = {one.instrument_token: one for one in _score(eligible, weights)}
    table = tuple(scored.get(one.instrument_token, one) for one in seen)
    if not scored:
        return Selection(table, None, _why_none(seen, chain))
    chosen = min(scored.values(), key=lambda c: (-c.score, abs(c.strikes_from_atm), c.strike))
    return Selection(table, chosen, None)


def _candidates(
    view: ChainView,
    near: IntArray,
    steps: IntArray,
    contracts: Sequence[Instrument],
    now_ms: int,
    chain: ChainFilter,
) -> list[Candidate]:
    """Return the contracts of these rows as they are quoted."""
    columns = {name: getattr(view, name)[near].tolist() for name in _QUOTED}
    quoted = [dict(zip(_QUOTED, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    ages_ms = (now_ms - view.quoted_at_ms[near]).tolist()
    has_mid = (~np.isnan(view.mid[near])).tolist()
    return [
        Candidate(
            tradingsymbol=contracts[at].tradingsymbol,
            strikes_from_atm=away,
            quote_age_seconds=age_ms / 1000,
            refusal=_refusal(row, age_ms, age_ms == now_ms, is_two_sided, chain),
            **row,
        )
        for at, away, row, age_ms, is_two_sided in zip(
            near.tolist(), steps[near].tolist(), quoted, ages_ms, has_mid, strict=True
        )
    ]


_QUOTED = (
    "instrument_token",
    "strike",
    "last_price",
    "bid_price",
    "ask_price",
    "ask_quantity",
    "volume",
    "oi",
    "implied_volatility",
    "delta",
    "spread_fraction",
)


def _refusal(
    row: Mapping[str, Any],
    age_ms: int,
    is_unquoted: bool,
    is_two_sided: bool,
    chain: ChainFilter,
) -> str:
    if age_ms > chain.quote_budget_ms and not is_unquoted:
        return "old_quote"
    if not is_two_sided:
        return "no_two_sided_quote"
    if row["volume"] < chain.min_volume:
        return "low_volume"
    if row["oi"] < chain.min_oi:
        return "low_oi"
    return "" if row["spread_fraction"] < chain.max_spread else "wide_spread"


def _why_none(seen: list[Candidate], chain: ChainFilter) -> Refusal:
    """Count the reasons; of quotes that are too old the one nearest the money is named."""
    reasons = Counter(candidate.refusal for candidate in seen)
    numbers: Numbers = {name: float(count) for name, count in sorted(reasons.items())}
    old = [candidate for candidate in seen if candidate.refusal == "old_quote"]
    if old:
        first = min(old, key=lambda one: abs(one.strikes_from_atm))
        age_ms = round(1000 * first.quote_age_seconds)
        numbers |= old_quote(first.tradingsymbol, age_ms, chain.quote_budget_ms)
    return Refusal("old_quotes" if old and len(old) == len(seen) else "no_contract", numbers)


def old_quote(name: str, age_ms: int, budget_ms: int) -> Numbers:
    """Return which quote is too old, its age and how old it may be, seconds."""
    return {"quote": name, "age_seconds": age_ms / 1000, "budget_seconds": budget_ms / 1000}


def _score(candidates: list[Candidate], weights: ScoreWeights) -> list[Candidate]:
    if not candidates:
        return []
    terms = {
        "distance_term": _less_is_better([abs(c.strikes_from_atm) for c in candidates], floor=0.0),
        "delta_term": _less_is_better([abs(abs(c.delta) - 0.5) for c in candidates], floor=0.0),
        "volatility_term": _less_is_better([c.implied_volatility for c in candidates]),
        "liquidity_term": _liquidity(candidates),
        "spread_term": _less_is_better([c.spread_fraction for c in candidates]),
    }
    terms["score"] = (
        weights.distance * terms["distance_term"]
        + weights.delta * terms["delta_term"]
        + weights.volatility * terms["volatility_term"]
        + weights.liquidity * terms["liquidity_term"]
        + weights.spread * terms["spread_term"]
    )
    return [_with_scores(one, at, terms) for at, one in enumerate(candidates)]


def _with_scores(one: Candidate, at: int, terms: Mapping[str, Floats]) -> Candidate:
    values: dict[str, Any] = {name: float(column[at]) for name, column in terms.items()}
    return replace(one, **values)


def _less_is_better(values: list[float], floor: float | None = None) -> Floats:
    """Scale to 1 for the least (or `floor`) and 0 for the most; unknown values score 0."""
    array = np.array(values, np.float64)
    known = np.isfinite(array)
    if not known.any():
        return np.zeros(len(array))
    least = array[known].min() if floor is None else floor
    span = array[known].max() - least
    scaled = np.ones(len(array)) if span <= 0 else 1.0 - (array - least) / span
    return np.where(known, scaled, 0.0)


def _liquidity(candidates: list[Candidate]) -> Floats:
    volume = np.array([one.volume for one in candidates], np.float64)
    oi = np.array([one.oi for one in candidates], np.float64)
    result: Floats = (volume / max(volume.max(), 1.0) + oi / max(oi.max(), 1.0)) / 2
    return result


def _known(value: float | str) -> float | str | None:
    if not isinstance(value, float):
        return value
    return None if isnan(value) else round(value, _DIGITS)
