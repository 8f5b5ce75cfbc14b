"""Paired comparisons: by how much the chosen strike was better or worse, and how sure that is.

Both sides of a pair are of one decision, so what the market did is in both. The interval is
Student's; the level is shared by all comparisons of a table (Bonferroni), since of many that are
looked at once one will always look good.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import sqrt
from typing import NamedTuple
from uuid import UUID

import numpy as np
from scipy import stats

from services.local.regret.cases import TERMS, Candidate, Case
from services.local.regret.following import Followed

FEWEST_CASES, FEWEST_DAYS = 30, 5
"""On fewer pairs, or of fewer days, nothing is recommended: trades of one day move together."""
LEVEL = 0.95
Choose = Callable[[Case], Candidate | None]


class Pair(NamedTuple):
    """What the chosen strike gained more than another one, as a part of the premium paid."""

    day: date
    more: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The chosen strikes against others: `more` is their mean gain above them, with its interval.

    As parts of the premium paid. `cases` are all decisions, `pairs` those in which the other was
    another contract; the interval is nan for fewer than two.
    """

    name: str
    cases: int
    pairs: int
    days: int
    more: float
    low: float
    high: float
    better: int
    worse: int

    @property
    def verdict(self) -> str:
        """What follows from it, in words."""
        if self.pairs < FEWEST_CASES:
            return f"too few cases: {self.pairs} of {FEWEST_CASES}"
        if self.days < FEWEST_DAYS:
            return f"too few days: {self.days} of {FEWEST_DAYS}"
        if self.high < 0:
            return "the other was better"
        return "the chosen was better" if self.low > 0 else "no difference can be told"


def by_distance(followed: Sequence[Followed]) -> list[Comparison]:
    """Compare with the strikes so many steps farther out of the money (+) or in it (-)."""
    cases = _cases(followed)
    steps = sorted({step for case in cases for step in map(_out_of_chosen(case), case.candidates)})
    chosen = {step: _at_distance(step) for step in steps if step}
    names = {step: f"{step:+d} strikes" for step in chosen}
    return _compared(followed, {names[step]: choose for step, choose in chosen.items()})


def by_weight(followed: Sequence[Followed], weights: Mapping[str, float]) -> list[Comparison]:
    """Compare with what other weights would have chosen: each without, twice, and alone."""
    others: dict[str, Choose] = {}
    for term in TERMS:
        alone = {name: float(name == term) for name in TERMS}
        others[f"{term}: without"] = _by(dict(weights) | {term: 0.0})
        others[f"{term}: twice"] = _by(dict(weights) | {term: 2 * weights[term]})
        others[f"{term}: alone"] = _by(alone)
    return _compared(followed, others)


def scored(case: Case, weights: Mapping[str, float]) -> Candidate:
    """Return what a case would have chosen by these weights, by the executor's rule for ties."""
    return min(
        case.candidates,
        key=lambda one: (
            -round(sum(weights[term] * one.terms[term] for term in TERMS), 9),
            abs(one.strikes_from_atm),
            one.strike,
        ),
    )


def _by(weights: Mapping[str, float]) -> Choose:
    return lambda case: scored(case, weights)


def _out_of_chosen(case: Case) -> Callable[[Candidate], int]:
    """Return how many strikes farther out of the money a candidate is than the chosen one."""
    outwards = 1 if case.chosen.endswith("CE") else -1
    at = case.own.strikes_from_atm
    return lambda one: outwards * (one.strikes_from_atm - at)


def _at_distance(step: int) -> Choose:
    def choose(case: Case) -> Candidate | None:
        out = _out_of_chosen(case)
        return next((one for one in case.candidates if out(one) == step), None)

    return choose


def _cases(followed: Iterable[Followed]) -> list[Case]:
    return list({one.case.signal_id: one.case for one in followed}.values())


def _compared(followed: Sequence[Followed], others: Mapping[str, Choose]) -> list[Comparison]:
    gains: dict[tuple[UUID, str], float] = {
        (one.case.signal_id, one.candidate.tradingsymbol): one.gain for one in followed
    }
    cases = _cases(followed)
    return [
        comparison(name, len(cases), _pairs(cases, gains, choose), len(others))
        for name, choose in others.items()
    ]


def _pairs(
    cases: Iterable[Case], gains: Mapping[tuple[UUID, str], float], choose: Choose
) -> list[Pair]:
    """Return the pairs of cases in which the other is another contract, and both were followed."""
    pairs = []
    for case in cases:
        other = choose(case)
        own = gains.get((case.signal_id, case.chosen))
        if other is None or own is None or other.tradingsymbol == case.chosen:
            continue
        gained = gains.get((case.signal_id, other.tradingsymbol))
        if gained is not None:
            pairs.append(Pair(case.day, own - gained))
    return pairs


def comparison(name: str, cases: int, pairs: Sequence[Pair], compared: int) -> Comparison:
    """Return the mean difference of pairs and its interval, among so many comparisons."""
    more = np.array([pair.more for pair in pairs])
    mean = float(more.mean()) if len(more) else float("nan")
    reach = _reach(more, compared)
    return Comparison(
        name=name,
        cases=cases,
        pairs=len(pairs),
        days=len({pair.day for pair in pairs}),
        more=mean,
        low=mean - reach,
        high=mean + reach,
        better=int((more > 0).sum()),
        worse=int((more < 0).sum()),
    )


def _reach(more: "np.ndarray[tuple[int], np.dtype[np.float64]]", compared: int) -> float:
    """Return half of the interval's width."""
    if len(more) < 2:
        return float("nan")
    tail = (1 - LEVEL) / (2 * max(compared, 1))
    quantile = float(stats.t.ppf(1 - tail, len(more) - 1))
    return quantile * float(more.std(ddof=1)) / sqrt(len(more))
