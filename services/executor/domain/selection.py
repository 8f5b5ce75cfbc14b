"""StrikeSelector: filters a chain's contracts, scores the rest and chooses one."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import isnan
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from libs.market.instruments import Instrument
from libs.market.option_chain import ChainView, strikes_from_atm
from services.executor.domain.policy import ChainFilter, Refusal, ScoreWeights

Floats = NDArray[np.float64]


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
        """Return the row of the decision's table; unknown values are None."""
        return {name: _known(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Selection:
    """All candidates, by strike, and the chosen one or why there is none."""

    candidates: tuple[Candidate, ...]
    chosen: Candidate | None
    refusal: Refusal | None


def select(
    view: ChainView,
    contracts: dict[int, Instrument],
    action: Literal["BUY", "SELL"],
    now_ms: int,
    chain: ChainFilter,
    weights: ScoreWeights,
) -> Selection:
    """Choose a call for BUY or a put for SELL within the filter's distance of the money."""
    steps = strikes_from_atm(view.strike, view.spot)
    is_wanted = view.is_call == (action == "BUY")
    near = np.flatnonzero(is_wanted & (np.abs(steps) <= chain.strikes_from_atm))
    seen = [_candidate(view, at, int(steps[at]), contracts, now_ms, chain) for at in near.tolist()]
    eligible = [candidate for candidate in seen if not candidate.refusal]
    scored = {one.instrument_token: one for one in _score(eligible, weights)}
    table = tuple(scored.get(one.instrument_token, one) for one in seen)
    if not scored:
        return Selection(table, None, _why_none(seen))
    chosen = min(scored.values(), key=lambda c: (-c.score, abs(c.strikes_from_atm), c.strike))
    return Selection(table, chosen, None)


def _candidate(
    view: ChainView,
    at: int,
    steps: int,
    contracts: dict[int, Instrument],
    now_ms: int,
    chain: ChainFilter,
) -> Candidate:
    token = int(view.instrument_token[at])
    age_ms = now_ms - int(view.quoted_at_ms[at])
    return Candidate(
        tradingsymbol=contracts[token].tradingsymbol,
        instrument_token=token,
        strike=float(view.strike[at]),
        strikes_from_atm=steps,
        last_price=float(view.last_price[at]),
        bid_price=float(view.bid_price[at]),
        ask_price=float(view.ask_price[at]),
        ask_quantity=int(view.ask_quantity[at]),
        volume=int(view.volume[at]),
        oi=int(view.oi[at]),
        implied_volatility=float(view.implied_volatility[at]),
        delta=float(view.delta[at]),
        spread_fraction=float(view.spread_fraction[at]),
        quote_age_seconds=age_ms / 1000,
        refusal=_refusal(view, at, age_ms, chain),
    )


def _refusal(view: ChainView, at: int, age_ms: int, chain: ChainFilter) -> str:
    if isnan(view.mid[at]):
        return "no_two_sided_quote"
    if age_ms > chain.quote_budget_ms:
        return "old_quote"
    if view.volume[at] < chain.min_volume:
        return "low_volume"
    if view.oi[at] < chain.min_oi:
        return "low_oi"
    return "" if view.spread_fraction[at] < chain.max_spread else "wide_spread"


def _why_none(seen: list[Candidate]) -> Refusal:
    reasons = Counter(candidate.refusal for candidate in seen)
    return Refusal("no_contract", {name: float(count) for name, count in sorted(reasons.items())})


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
    return None if isinstance(value, float) and isnan(value) else value
