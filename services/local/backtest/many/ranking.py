"""Ranks many backtests, and says how much of the best result is luck.

The deflated Sharpe ratio and the expected maximum of N tries follow Bailey and López de Prado,
"The Deflated Sharpe Ratio" (Journal of Portfolio Management, 2014). Sharpe ratios are of daily
returns, without a risk-free rate; years have 252 days.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import e, nan, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Returns: TypeAlias = NDArray[np.float64]
"""Daily returns (fractions of the capital): a row a day, a column a backtest."""
DAYS_A_YEAR = 252
FEW_TRADES = 30
_EULER = 0.5772156649015329


@dataclass(frozen=True, slots=True)
class Fold:
    """Days to choose on, and the days after them to judge by: [start, stop) of each."""

    chosen_on: slice
    judged_on: slice


@dataclass(frozen=True, slots=True)
class Choice:
    """What one fold would have chosen: the column, and its yearly Sharpe ratio in and out."""

    column: int
    inside: float
    outside: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Columns from best to worst, with yearly Sharpe ratios in and out of sample.

    `inside` and `outside` are means over the folds, by column. `deflated` is the probability that
    the best column's Sharpe ratio is above what the best of as many tries without any skill would
    show; nan where it is not defined. `warnings` are whole sentences.
    """

    order: tuple[int, ...]
    inside: Returns
    outside: Returns
    choices: tuple[Choice, ...]
    deflated: float
    warnings: tuple[str, ...]


def folds(days: int, count: int) -> Iterator[Fold]:
    """Yield walk-forward folds: each is judged on a stretch after all that it was chosen on.

    The days are cut into `count` + 1 stretches; with fewer days than that there is no fold.
    """
    edges = [days * number // (count + 1) for number in range(count + 2)]
    if days > count:
        for at in range(1, count + 1):
            yield Fold(slice(0, edges[at]), slice(edges[at], edges[at + 1]))


def rank(returns: Returns, trades: Sequence[int], count: int = 4) -> Ranking:
    """Rank backtests by their Sharpe ratio in sample; `trades` are those of each column."""
    found = list(folds(len(returns), count))
    inside = _mean([sharpe(returns[fold.chosen_on]) for fold in found], returns.shape[1])
    outside = _mean([sharpe(returns[fold.judged_on]) for fold in found], returns.shape[1])
    whole = np.nan_to_num(sharpe(returns), nan=-np.inf)
    order = tuple(int(column) for column in np.argsort(-whole, kind="stable"))
    choices = tuple(_choice(returns, fold) for fold in found)
    deflated = deflated_sharpe(returns, order[0]) if order else nan
    warnings = tuple(_warnings(trades, order, choices, deflated, found))
    return Ranking(order, inside, outside, choices, deflated, warnings)


def sharpe(returns: Returns) -> Returns:
    """Return the yearly Sharpe ratio of each column; nan where returns do not vary."""
    if len(returns) < 2:
        return np.full(returns.shape[1], nan)
    deviation = returns.std(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = returns.mean(axis=0) / deviation * sqrt(DAYS_A_YEAR)
    return np.where(deviation > 0, ratio, nan)


def deflated_sharpe(returns: Returns, column: int) -> float:
    """Return the deflated Sharpe ratio of one column among all: a probability, or nan."""
    mine, daily = returns[:, column], sharpe(returns) / sqrt(DAYS_A_YEAR)
    ratio, tries = daily[column], daily[np.isfinite(daily)]
    if len(mine) < 3 or not np.isfinite(ratio):
        return nan
    expected = expected_maximum(len(tries)) * float(tries.std(ddof=1)) if len(tries) > 1 else 0.0
    standard = (mine - mine.mean()) / mine.std()
    skewness, fourth = float((standard**3).mean()), float((standard**4).mean())
    return probability_above(float(ratio), expected, len(mine), skewness, fourth)


def probability_above(
    ratio: float, threshold: float, days: int, skewness: float, fourth: float
) -> float:
    """Return the probability that the true daily Sharpe ratio is above a threshold, or nan.

    `ratio` was measured on so many days, whose returns have this skewness and fourth moment
    (3 for normal ones).
    """
    spread = 1.0 - skewness * ratio + (fourth - 1.0) / 4.0 * ratio**2
    if spread <= 0:
        return nan
    return float(ndtr((ratio - threshold) * sqrt(days - 1) / sqrt(spread)))


def expected_maximum(tries: int) -> float:
    """Return the expected maximum of so many standard normal numbers (approximately)."""
    return float((1 - _EULER) * ndtri(1 - 1 / tries) + _EULER * ndtri(1 - 1 / (tries * e)))


def _mean(parts: Sequence[Returns], columns: int) -> Returns:
    """Return the mean of each column over the folds in which it is defined."""
    if not parts:
        return np.full(columns, nan)
    stacked = np.vstack(parts)
    known = np.isfinite(stacked)
    total, count = np.where(known, stacked, 0.0).sum(axis=0), known.sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), nan)


def _choice(returns: Returns, fold: Fold) -> Choice:
    """Return what would have been chosen on a fold's days, and how it did afterwards."""
    inside, outside = sharpe(returns[fold.chosen_on]), sharpe(returns[fold.judged_on])
    column = int(np.argmax(np.nan_to_num(inside, nan=-np.inf)))
    return Choice(column, float(inside[column]), float(outside[column]))


def _warnings(
    trades: Sequence[int],
    order: Sequence[int],
    choices: Sequence[Choice],
    deflated: float,
    found: Sequence[Fold],
) -> Iterator[str]:
    if order and trades[order[0]] < FEW_TRADES:
        yield f"the best has only {trades[order[0]]} trades: too few to tell skill from luck"
    if len(order) > 1:
        chance = f"{deflated:.0%}" if np.isfinite(deflated) else "not defined"
        yield (
            f"the best of {len(order)} was picked: the probability that it is better than the best "
            f"of as many without skill (deflated Sharpe ratio) is {chance}"
        )
    worse = sum(not one.outside > 0 for one in choices)
    if choices and worse * 2 >= len(choices):
        yield (
            f"what was best on past days made no profit on the days after them in {worse} of "
            f"{len(choices)} walks forward"
        )
    if order and not found:
        yield "there are too few days to choose on some and to judge by others"
