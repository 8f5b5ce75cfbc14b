"""StrikeSelector: filters a chain's contracts, scores the rest and chooses one.

The choice is the best score, or what is nearest to what a profile wants; the filters are the same.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan, nan
from typing import Any, Literal, NamedTuple

import numpy as np

from libs.market.instruments import Instrument
from libs.market.option_chain import ChainView, strikes_from_atm
from services.executor.domain.policy import ChainFilter, Numbers, Refusal, ScoreWeights
from services.executor.domain.profiles import StrikeChoice
from services.executor.domain.wanted_strikes import Wanted, wanted_of

_DIGITS = 9
BY_SCORE = StrikeChoice()
_MAY_BE_UNKNOWN = (
    "last_price",
    "bid_price",
    "ask_price",
    "implied_volatility",
    "delta",
    "spread_fraction",
)


class Candidate(NamedTuple):
    """A contract of the right type near the money: its quote, and its score.

    `refusal` is empty for one that may be traded; terms and score are 0..1. `wanted` is what the
    profile wants and the contract is nearest to, `off_wanted` how far it is from that, in its unit
    (of a premium: a fraction); nan where the choice is by score.
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
    wanted: float = nan
    off_wanted: float = nan

    def row(self) -> dict[str, int | float | str | None]:
        """Return the row of the decision's table; unknown values are None.

        What is wanted is in it where the choice is not by score.
        """
        row: dict[str, int | float | str | None] = self._asdict()
        for name in ("wanted", "off_wanted"):
            if isnan(getattr(self, name)):
                del row[name]
        for name in _MAY_BE_UNKNOWN:
            if isnan(getattr(self, name)):
                row[name] = None
        return row


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
    choice: StrikeChoice = BY_SCORE,
    min_delta: float | None = None,
) -> Selection:
    """Choose a call for BUY or a put for SELL, by score or what is nearest to what is wanted.

    By score the filter's distance of the money counts. `min_delta` is without a sign.
    """
    steps = strikes_from_atm(view.strike, view.spot).tolist()
    wanted = () if choice.by == "score" else wanted_of(choice, view, action)
    near = _rows(view, action, steps, chain, wanted)
    seen = _candidates(view, near, steps, contracts, now_ms, chain)
    if min_delta is not None:
        seen = [_with_delta(one, min_delta) for one in seen]
    if wanted:
        seen = [_with_wanted(one, at, wanted) for one, at in zip(seen, near, strict=True)]
    eligible = [candidate for candidate in seen if not candidate.refusal]
    scored = {one.instrument_token: one for one in _score(eligible, weights)}
    table = tuple(scored.get(one.instrument_token, one) for one in seen)
    if not scored:
        return Selection(table, None, _why_none(seen, chain, choice))
    compared = _nearest(table, near, wanted) if wanted else scored.values()
    chosen = min(compared, key=lambda c: (-c.score, abs(c.strikes_from_atm), c.strike))
    return Selection(table, chosen, None)


def _rows(
    view: ChainView,
    action: Literal["BUY", "SELL"],
    steps: Sequence[int],
    chain: ChainFilter,
    wanted: Sequence[Wanted],
) -> list[int]:
    """Return the rows that are compared: the right type, near the money or what is wanted."""
    is_wanted, widest = action == "BUY", chain.strikes_from_atm
    shown = (
        np.any([one.is_shown for one in wanted], axis=0).tolist()
        if wanted
        else [abs(away) <= widest for away in steps]
    )
    sides = zip(view.is_call.tolist(), shown, strict=True)
    return [at for at, (is_call, is_shown) in enumerate(sides) if is_call == is_wanted and is_shown]


def _with_delta(one: Candidate, least: float) -> Candidate:
    """Refuse a delta below the least one, and one that is not known."""
    return one if one.refusal or abs(one.delta) >= least else one._replace(refusal="low_delta")


def _with_wanted(one: Candidate, at: int, wanted: Sequence[Wanted]) -> Candidate:
    """Say how far a row is from the nearest that is wanted; refuse it if it is too far."""
    known = [each for each in wanted if not isnan(each.off[at])]
    nearest = min(known, key=lambda each: float(each.off[at]), default=None)
    refusal = one.refusal
    if not refusal and not any(each.is_within[at] for each in wanted):
        refusal = "far_from_wanted"
    if nearest is None:
        return one._replace(refusal=refusal)
    off = float(nearest.off[at])
    return one._replace(refusal=refusal, wanted=nearest.value, off_wanted=off)


def _nearest(
    table: Sequence[Candidate], rows: Sequence[int], wanted: Sequence[Wanted]
) -> list[Candidate]:
    """Return the tradable contract that is nearest to each number that is wanted."""
    found = []
    for each in wanted:
        near = [
            (float(each.off[at]), abs(one.strikes_from_atm), one.strike, one)
            for one, at in zip(table, rows, strict=True)
            if not one.refusal and each.is_within[at]
        ]
        if near:
            found.append(min(near, key=lambda of: of[:3])[3])
    return found


def _candidates(
    view: ChainView,
    near: Sequence[int],
    steps: Sequence[int],
    contracts: Sequence[Instrument],
    now_ms: int,
    chain: ChainFilter,
) -> list[Candidate]:
    """Return the contracts of these rows as they are quoted.

    What was computed is rounded, so that it is the same on every kind of processor.
    """
    columns = {name: getattr(view, name).tolist() for name in _QUOTED}
    columns |= {name: np.round(getattr(view, name), _DIGITS).tolist() for name in _COMPUTED}
    quoted_at_ms, mid = view.quoted_at_ms.tolist(), view.mid.tolist()
    made = []
    for at in near:
        row = {name: column[at] for name, column in columns.items()}
        at_ms = quoted_at_ms[at]
        candidate = Candidate(
            tradingsymbol=contracts[at].tradingsymbol,
            strikes_from_atm=steps[at],
            quote_age_seconds=(now_ms - at_ms) / 1000,
            refusal=_refusal(row, now_ms, at_ms, mid[at], chain),
            **row,
        )
        made.append(candidate)
    return made


_QUOTED = (
    "instrument_token",
    "strike",
    "last_price",
    "bid_price",
    "ask_price",
    "ask_quantity",
    "volume",
    "oi",
)
_COMPUTED = ("implied_volatility", "delta", "spread_fraction")


def _refusal(
    row: Mapping[str, Any], now_ms: int, at_ms: int, mid: float, chain: ChainFilter
) -> str:
    if at_ms and now_ms - at_ms > chain.quote_budget_ms:
        return "old_quote"
    if isnan(mid):
        return "no_two_sided_quote"
    if row["volume"] < chain.min_volume:
        return "low_volume"
    if row["oi"] < chain.min_oi:
        return "low_oi"
    return "" if row["spread_fraction"] < chain.max_spread else "wide_spread"


def _why_none(seen: list[Candidate], chain: ChainFilter, choice: StrikeChoice) -> Refusal:
    """Count the reasons; of quotes that are too old the one nearest the money is named."""
    reasons = Counter(candidate.refusal for candidate in seen)
    numbers: Numbers = {name: float(count) for name, count in sorted(reasons.items())}
    old = [candidate for candidate in seen if candidate.refusal == "old_quote"]
    if old:
        first = min(old, key=lambda one: abs(one.strikes_from_atm))
        age_ms = round(1000 * first.quote_age_seconds)
        numbers |= old_quote(first.tradingsymbol, age_ms, chain.quote_budget_ms)
    if choice.by != "score":
        numbers["wanted"] = str(choice)
    only = next(iter(reasons)) if len(reasons) == 1 else ""
    return Refusal(_ALONE.get(only, "no_contract"), numbers)


_ALONE = {"old_quote": "old_quotes", "far_from_wanted": "far_from_wanted", "low_delta": "low_delta"}
"""The reason of the refusal, where it is the only one of all contracts."""


def old_quote(name: str, age_ms: int, budget_ms: int) -> Numbers:
    """Return which quote is too old, its age and how old it may be, seconds."""
    return {"quote": name, "age_seconds": age_ms / 1000, "budget_seconds": budget_ms / 1000}


def _score(candidates: list[Candidate], weights: ScoreWeights) -> list[Candidate]:
    if not candidates:
        return []
    terms = zip(
        _less_is_better([abs(c.strikes_from_atm) for c in candidates], floor=0.0),
        _less_is_better([abs(abs(c.delta) - 0.5) for c in candidates], floor=0.0),
        _less_is_better([c.implied_volatility for c in candidates]),
        _liquidity(candidates),
        _less_is_better([c.spread_fraction for c in candidates]),
        strict=True,
    )
    return [_scored(one, *of, weights) for one, of in zip(candidates, terms, strict=True)]


def _scored(
    one: Candidate,
    distance: float,
    delta: float,
    volatility: float,
    liquidity: float,
    spread: float,
    weights: ScoreWeights,
) -> Candidate:
    score = (
        weights.distance * distance
        + weights.delta * delta
        + weights.volatility * volatility
        + weights.liquidity * liquidity
        + weights.spread * spread
    )
    return one._replace(
        distance_term=distance,
        delta_term=round(delta, _DIGITS),
        volatility_term=round(volatility, _DIGITS),
        liquidity_term=liquidity,
        spread_term=round(spread, _DIGITS),
        score=round(score, _DIGITS),
    )


def _less_is_better(values: Sequence[float], floor: float | None = None) -> list[float]:
    """Scale to 1 for the least (or `floor`) and 0 for the most; unknown values score 0."""
    known = [value for value in values if isfinite(value)]
    if not known:
        return [0.0] * len(values)
    least = min(known) if floor is None else floor
    span = max(known) - least
    if span <= 0:
        return [1.0 if isfinite(value) else 0.0 for value in values]
    return [1.0 - (value - least) / span if isfinite(value) else 0.0 for value in values]


def _liquidity(candidates: list[Candidate]) -> list[float]:
    volume = max(1.0, *(one.volume for one in candidates))
    oi = max(1.0, *(one.oi for one in candidates))
    return [(one.volume / volume + one.oi / oi) / 2 for one in candidates]
