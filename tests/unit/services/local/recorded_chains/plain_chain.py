"""Parity and the choice of a strike once more, in plain Python, from the words of the docs."""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist, median
from typing import Any, NamedTuple

from scipy.optimize import brentq

from tests.unit.services.local.recorded_chains.chain_files import RATE

Pairs = Mapping[float, tuple[float, float]]
Row = Mapping[str, Any]
WEIGHTS = {"distance": 0.30, "delta": 0.20, "volatility": 0.15, "liquidity": 0.25, "spread": 0.10}


def near(pairs: Pairs, years: float, spot: float) -> float:
    seven = sorted(pairs, key=lambda strike: (abs(strike - spot), strike))[:7]
    implied = [k + (pairs[k][0] - pairs[k][1]) * math.exp(RATE * years) for k in seven]
    return median(one for one in implied if not math.isnan(one))


def spot_of(pairs: Pairs, years: float) -> float:
    quoted = {k: pair for k, pair in pairs.items() if not math.isnan(pair[0])}
    k = min(quoted, key=lambda one: abs(quoted[one][0] - quoted[one][1]))
    spot = k * math.exp(-RATE * years) + quoted[k][0] - quoted[k][1]
    for _ in range(3):
        spot = near(pairs, years, spot) * math.exp(-RATE * years)
    return spot


class Choice(NamedTuple):
    """A strike, its score, and how many others may be traded too."""

    strike: float
    score: float
    eligible: int


def mid_of(row: Row, side: str) -> float:
    """Return the middle of a two-sided quote, else nan."""
    bid, ask = float(row[f"{side}_Bid_Price"]), float(row[f"{side}_Ask_Price"])
    return (bid + ask) / 2 if 0 < bid <= ask else math.nan


def spread_of(row: Row, side: str) -> float:
    """Return the spread as a part of the mid price, else nan."""
    return (float(row[f"{side}_Ask_Price"]) - float(row[f"{side}_Bid_Price"])) / mid_of(row, side)


def pairs_of(rows: Sequence[Row], *, traded_only: bool) -> dict[float, tuple[float, float]]:
    """Return the mid prices of strikes whose two quotes are tight, nan for the others."""
    pairs = {}
    for row in rows:
        sides = ("CALLS", "PUTS")
        is_tight = all(spread_of(row, side) <= 0.05 for side in sides)
        if traded_only and not all(float(row[f"{side}_LTP"]) > 0 for side in sides):
            is_tight = False
        mids = [mid_of(row, side) if is_tight else math.nan for side in sides]
        pairs[float(row["Strike_Price"])] = (mids[0], mids[1])
    return pairs


def delta_and_volatility(mid: float, forward: float, strike: float, years: float, sign: int) -> Any:
    """Return delta and volatility of a mid price, None where none explains it."""
    cdf, discount = NormalDist().cdf, math.exp(-RATE * years)

    def d1(v: float) -> float:
        deviation = v * math.sqrt(years)
        return math.log(forward / strike) / deviation + deviation / 2

    def apart(v: float) -> float:
        low = d1(v) - v * math.sqrt(years)
        return discount * sign * (forward * cdf(sign * d1(v)) - strike * cdf(sign * low)) - mid

    if mid <= discount * max(sign * (forward - strike), 0):
        return None
    v = brentq(apart, 1e-4, 10, xtol=1e-13, rtol=1e-13)
    return round(sign * discount * cdf(sign * d1(v)), 9), round(v, 9)


def plain_spot(rows: Sequence[Row], years: float) -> float:
    """Return the spot of a snapshot's nearest expiry, on the paisa."""
    return round(spot_of(pairs_of(rows, traded_only=False), years), 2)


def best_strike(
    rows: Sequence[Row], spot: float, years: float, is_buy: bool, lot_size: int
) -> Choice | None:
    """Return the strike that the rules choose from the nearest expiry's rows."""
    side, sign = ("CALLS", 1) if is_buy else ("PUTS", -1)
    forward = near(pairs_of(rows, traded_only=True), years, spot)
    strikes = sorted(float(row["Strike_Price"]) for row in rows)
    atm = min(range(len(strikes)), key=lambda at: abs(strikes[at] - spot))
    kept = []
    for row in rows:
        away = abs(strikes.index(float(row["Strike_Price"])) - atm)
        mid, spread = mid_of(row, side), spread_of(row, side)
        units = [float(row[f"{side}_{name}"]) * lot_size for name in ("Volume", "OI")]
        is_eligible = float(row[f"{side}_LTP"]) > 0 and units[0] >= 100 and units[1] >= 1000
        if away <= 3 and is_eligible and spread < 0.05:
            solved = delta_and_volatility(mid, forward, float(row["Strike_Price"]), years, sign)
            delta, volatility = solved or (math.nan, math.nan)
            kept.append((float(row["Strike_Price"]), away, delta, volatility, units, spread))
    return _scored(kept)


def _scored(kept: Sequence[Any]) -> Choice | None:
    if not kept:
        return None
    most = [max(one[4][at] for one in kept) for at in (0, 1)]
    columns = {
        "distance": _fewer([float(one[1]) for one in kept], 0.0),
        "delta": _fewer([abs(abs(one[2]) - 0.5) for one in kept], 0.0),
        "volatility": _fewer([one[3] for one in kept], None),
        "liquidity": [(one[4][0] / most[0] + one[4][1] / most[1]) / 2 for one in kept],
        "spread": _fewer([one[5] for one in kept], None),
    }
    scores = [
        round(sum(WEIGHTS[name] * columns[name][at] for name in WEIGHTS), 8)
        for at in range(len(kept))
    ]
    order = sorted(range(len(kept)), key=lambda at: (-scores[at], kept[at][1], kept[at][0]))
    return Choice(kept[order[0]][0], scores[order[0]], len(kept))


def _fewer(values: Sequence[float], floor: float | None) -> list[float]:
    known = [one for one in values if not math.isnan(one)]
    least = min(known) if floor is None else floor
    span = max(known) - least
    return [0.0 if math.isnan(v) else 1 - (v - least) / span if span else 1.0 for v in values]
