"""Paired comparisons: the interval is Student's, and on few cases nothing follows."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from math import isnan
from uuid import UUID, uuid5

import numpy as np
import pytest
from scipy import stats

from services.local.regret.cases import TERMS, Candidate, Case
from services.local.regret.comparing import (
    FEWEST_CASES,
    FEWEST_DAYS,
    Comparison,
    Pair,
    by_distance,
    by_weight,
    comparison,
)
from services.local.regret.following import Followed
from services.local.regret_screen import conclusion

FIRST = date(2025, 8, 4)
WEIGHTS = {"distance": 0.30, "delta": 0.20, "volatility": 0.15, "liquidity": 0.25, "spread": 0.10}
NAMESPACE = UUID(int=7)


def pairs(values: Sequence[float], days: int) -> list[Pair]:
    return [Pair(FIRST + timedelta(days=n % days), value) for n, value in enumerate(values)]


@pytest.mark.parametrize("compared", [1, 15])
def test_the_interval_is_students_at_a_level_shared_by_all_comparisons(compared: int) -> None:
    values = np.random.default_rng(7).normal(0.02, 0.1, 40).tolist()
    made = comparison("x", 50, pairs(values, 5), compared)
    expected = stats.ttest_1samp(values, 0).confidence_interval(1 - 0.05 / compared)
    assert (made.low, made.high) == pytest.approx((expected.low, expected.high))
    assert made.more == pytest.approx(np.mean(values))
    assert (made.cases, made.pairs, made.days, made.better + made.worse) == (50, 40, 5, 40)


def spread_around(mean: float, count: int) -> list[float]:
    return [mean + (0.01 if n % 2 else -0.01) for n in range(count)]


@pytest.mark.parametrize(
    ("values", "days", "verdict"),
    [
        ([], 1, f"too few cases: 0 of {FEWEST_CASES}"),
        (spread_around(-0.5, 29), 6, "too few cases: 29 of 30"),
        (spread_around(-0.5, 300), 4, f"too few days: 4 of {FEWEST_DAYS}"),
        (spread_around(-0.5, 30), 5, "the other was better"),
        (spread_around(0.5, 30), 5, "the chosen was better"),
        (spread_around(0.0, 30), 5, "no difference can be told"),
    ],
)
def test_what_follows_needs_enough_cases_and_days(
    values: list[float], days: int, verdict: str
) -> None:
    made = comparison("x", len(values), pairs(values, days), 1)
    assert made.verdict == verdict
    assert isnan(made.low) == (len(values) < 2)


@pytest.mark.parametrize(
    ("values", "days", "said"),
    [
        (spread_around(-0.5, 29), 6, "No recommendation: at most 29 cases of 6 days differ; 30 "),
        (spread_around(-0.5, 30), 5, "Weights that were better, look at them: x"),
        (spread_around(0.5, 30), 5, "No recommendation: no other weights were better"),
    ],
)
def test_the_conclusion_recommends_nothing_on_few_cases(
    values: list[float], days: int, said: str
) -> None:
    assert conclusion([comparison("x", 30, pairs(values, days), 1)]).startswith(said)


def candidate(strike: float, steps: int, kind: str, **terms: float) -> Candidate:
    scores = dict.fromkeys(TERMS, 0.0) | terms
    return Candidate(f"NIFTY25902{strike:g}{kind}", int(strike), strike, steps, 100.0, scores)


def followed(number: int, kind: str, gains: Sequence[float]) -> list[Followed]:
    """Three strikes, of which the middle one was chosen; the lowest is the most liquid."""
    made = [
        candidate(24_450, -1, kind, liquidity=1.0),
        candidate(24_500, 0, kind, distance=1.0, delta=1.0),
        candidate(24_550, 1, kind, volatility=1.0),
    ]
    day = FIRST + timedelta(days=number % 6)
    own = made[1].tradingsymbol
    case = Case(uuid5(NAMESPACE, str(number)), 0, day, "x", "NIFTY", "", own, 1, made)
    paid = Decimal(1000)
    some = zip(made, gains, strict=False)
    return [Followed(case, one, paid, paid * Decimal(str(gain)), "target", 0) for one, gain in some]


def named(comparisons: Sequence[Comparison]) -> dict[str, Comparison]:
    return {one.name: one for one in comparisons}


def test_farther_out_of_the_money_is_above_for_calls_and_below_for_puts() -> None:
    calls = [one for n in range(3) for one in followed(n, "CE", [0.1, 0.2, 0.5])]
    puts = [one for n in range(3, 6) for one in followed(n, "PE", [0.5, 0.2, 0.1])]
    found = named(by_distance([*calls, *puts]))
    assert set(found) == {"-1 strikes", "+1 strikes"}
    assert found["+1 strikes"].more == pytest.approx(-0.3)
    assert found["-1 strikes"].more == pytest.approx(0.1)
    assert (found["+1 strikes"].worse, found["-1 strikes"].better) == (6, 6)


def test_other_weights_are_compared_where_they_choose_another_strike() -> None:
    all_of = [one for n in range(30) for one in followed(n, "CE", [0.4 + n / 1000, 0.2, 0.1])]
    found = named(by_weight(all_of, WEIGHTS))
    assert len(found) == 3 * len(TERMS)
    assert (found["liquidity: alone"].pairs, found["distance: twice"].pairs) == (30, 0)
    assert found["liquidity: alone"].verdict == "the other was better"
    assert found["volatility: alone"].more == pytest.approx(0.1)


def test_a_candidate_that_could_not_be_bought_makes_no_pair() -> None:
    assert named(by_distance(followed(0, "CE", [0.1, 0.2])))["+1 strikes"].pairs == 0
