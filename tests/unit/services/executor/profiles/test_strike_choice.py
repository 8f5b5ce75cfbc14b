"""The choice of the strike, against a second implementation that is as plain as can be."""

from math import isnan
from typing import Any, Literal, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.option_chain import ChainView
from services.executor.domain.policy import ChainFilter, ScoreWeights
from services.executor.domain.profiles import StrikeChoice
from services.executor.domain.selection import Selection, select
from tests.unit.services.executor.builders import NOW
from tests.unit.services.executor.test_selection import CONTRACTS, STRIKES, by_strike, view

Action = Literal["BUY", "SELL"]
LINES = ChainFilter()


def chosen_by(
    chain: ChainView, choice: StrikeChoice, action: Action = "BUY", min_delta: float | None = None
) -> Selection:
    at = {one.instrument_token: one for one in CONTRACTS}
    contracts = [at[token] for token in chain.instrument_token.tolist()]
    weights = ScoreWeights()
    return select(chain, contracts, action, NOW, LINES, weights, choice, min_delta)


def strike_of(selection: Selection) -> float | None:
    return None if selection.chosen is None else selection.chosen.strike


@pytest.mark.parametrize(
    ("by", "wanted", "call", "put"),
    [
        ("moneyness", 0.6, 24_850, 25_150),
        ("moneyness", 0.0, 25_000, 25_000),
        ("moneyness", -0.75, 25_200, 24_800),
        ("strikes", 1, 24_950, 25_050),
        ("strikes", -3, 25_150, 24_850),
    ],
)
def test_what_is_in_the_money_lies_below_for_a_call_and_above_for_a_put(
    by: Any, wanted: float, call: float, put: float
) -> None:
    choice = StrikeChoice(by=by, wanted=(wanted,))
    assert strike_of(chosen_by(view(), choice)) == call
    assert strike_of(chosen_by(view(), choice, "SELL")) == put


def test_the_nearest_delta_and_the_nearest_premium_are_chosen() -> None:
    delta = view(delta=by_strike({24_800: 0.62, 25_100: 0.41, 25_150: 0.38}, 0.9))
    assert strike_of(chosen_by(delta, StrikeChoice(by="delta", wanted=(0.4,)))) == 25_100
    bid, ask = by_strike({25_100: 79.5, 25_150: 61.0}, 120.0), by_strike({25_100: 80.0}, 121.0)
    ask = np.where(bid == 61.0, 61.5, ask)
    premium = view(bid_price=bid, ask_price=ask)
    assert strike_of(chosen_by(premium, StrikeChoice(by="premium", wanted=(75.0,)))) == 25_100
    assert strike_of(chosen_by(premium, StrikeChoice(by="premium", wanted=(65.0,)))) == 25_150


def test_what_the_filters_refuse_leaves_the_next_nearest() -> None:
    thin = view(volume=by_strike({25_000: 1}, 5000), oi=by_strike({25_050: 1}, 50_000))
    selection = chosen_by(thin, StrikeChoice(by="moneyness", wanted=(0.0,)))
    assert strike_of(selection) == 24_950
    said = {one.strike: one.refusal for one in selection.candidates}
    assert said == {
        24_900: "",
        24_950: "",
        25_000: "low_volume",
        25_050: "low_oi",
        25_100: "",
    }


@pytest.mark.parametrize(
    ("chain", "choice", "reason"),
    [
        (view(delta=0.9), StrikeChoice(by="delta", wanted=(0.4,)), "far_from_wanted"),
        (view(), StrikeChoice(by="premium", wanted=(500.0,)), "far_from_wanted"),
        (view(), StrikeChoice(by="moneyness", wanted=(-4.0,)), "far_from_wanted"),
        (view(volume=0), StrikeChoice(by="moneyness", wanted=(0.0,)), "no_contract"),
        (view(), StrikeChoice(by="strikes", wanted=(-20,)), "no_contract"),
    ],
)
def test_nothing_near_enough_is_refused_with_what_was_wanted(
    chain: ChainView, choice: StrikeChoice, reason: str
) -> None:
    selection = chosen_by(chain, choice)
    assert selection.chosen is None
    assert selection.refusal is not None
    assert selection.refusal.reason == reason
    assert selection.refusal.numbers["wanted"] == str(choice)


def test_too_little_delta_is_refused_just_below_the_least() -> None:
    choice = StrikeChoice(by="moneyness", wanted=(0.0,), within=0)
    assert strike_of(chosen_by(view(delta=0.45), choice, min_delta=0.45)) == 25_000
    refused = chosen_by(view(delta=0.4499), choice, min_delta=0.45)
    assert refused.refusal is not None
    assert refused.refusal.reason == "low_delta"
    unknown = chosen_by(view(delta=float("nan")), choice, min_delta=0.45)
    assert unknown.refusal is not None
    assert unknown.refusal.reason == "low_delta"


def test_of_two_wanted_strikes_the_better_scored_one_is_bought() -> None:
    choice = StrikeChoice(by="moneyness", wanted=(0.0, -0.6))
    more = view(volume=by_strike({25_150: 500_000}, 200), oi=by_strike({25_150: 900_000}, 2000))
    assert strike_of(chosen_by(view(), choice)) == 25_000
    selection = chosen_by(more, choice)
    assert strike_of(selection) == 25_150
    assert selection.chosen is not None
    assert (selection.chosen.wanted, selection.chosen.off_wanted) == (-0.6, 0.0)


class Plain(NamedTuple):
    strike: float
    off: float
    steps: int
    score: float


def plainly_chosen(
    chain: ChainView,
    choice: StrikeChoice,
    action: Action,
    min_delta: float | None,
    scores: dict[float, float],
) -> float | None:
    """Each contract in turn, by the words of docs/profiles.md; scores are those of the table."""
    best: list[Plain] = []
    listed = sorted(set(chain.strike.tolist()))
    money = min(listed, key=lambda strike: (abs(strike - chain.spot), strike))
    for wanted in choice.wanted:
        near: list[Plain] = []
        for at in range(len(chain)):
            if bool(chain.is_call[at]) != (action == "BUY") or _is_refused(chain, at, min_delta):
                continue
            strike = float(chain.strike[at])
            steps = listed.index(strike) - listed.index(money)
            deep = -steps if action == "BUY" else steps
            if choice.by == "strikes":
                off, is_near = float(abs(deep - wanted)), abs(deep - wanted) <= choice.reach
            elif choice.by == "moneyness":
                inside = (chain.forward - strike) / chain.forward * 100
                off = abs((inside if action == "BUY" else -inside) - wanted)
                share = wanted / 100 if action == "BUY" else -wanted / 100
                aim = chain.forward * (1 - share)
                first = min(listed, key=lambda one: (abs(one - aim), one))
                places = abs(listed.index(strike) - listed.index(first))
                is_near = places <= choice.reach and listed[0] - 25 <= aim <= listed[-1] + 25
            elif choice.by == "delta":
                off = abs(abs(float(chain.delta[at])) - wanted)
                is_near = round(off, 9) <= choice.reach
            else:
                off = abs(float(chain.ask_price[at]) - wanted) / wanted
                is_near = round(off, 9) <= choice.reach
            if is_near and not isnan(off):
                near.append(Plain(strike, round(off, 9), abs(steps), scores[strike]))
        if near:
            best.append(min(near, key=lambda one: (one.off, one.steps, one.strike)))
    if not best:
        return None
    return min(best, key=lambda one: (-one.score, one.steps, one.strike)).strike


def _is_refused(chain: ChainView, at: int, min_delta: float | None) -> bool:
    bid, ask = float(chain.bid_price[at]), float(chain.ask_price[at])
    if not (bid > 0 and ask >= bid):
        return True
    if chain.volume[at] < LINES.min_volume or chain.oi[at] < LINES.min_oi:
        return True
    if not (ask - bid) / ((ask + bid) / 2) < LINES.max_spread:
        return True
    return min_delta is not None and not abs(float(chain.delta[at])) >= min_delta


rows = len(STRIKES)
choices = st.one_of(
    st.builds(
        StrikeChoice,
        by=st.just("moneyness"),
        wanted=st.lists(st.sampled_from([-2.0, -0.75, 0.0, 0.3, 0.5, 1.1]), min_size=1, max_size=2),
        within=st.sampled_from([None, 0, 1, 4]),
    ),
    st.builds(
        StrikeChoice,
        by=st.just("strikes"),
        wanted=st.lists(st.integers(-8, 8), min_size=1, max_size=2),
        within=st.sampled_from([None, 0, 1]),
    ),
    st.builds(StrikeChoice, by=st.just("delta"), wanted=st.just((0.4,))),
    st.builds(StrikeChoice, by=st.just("premium"), wanted=st.sampled_from([(60.0,), (90.0, 30.0)])),
)


def columns(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.lists(st.sampled_from(values), min_size=rows, max_size=rows).map(np.array)


@given(
    choices,
    st.sampled_from(["BUY", "SELL"]),
    st.sampled_from([None, 0.35, 0.45]),
    st.integers(24_600, 25_400).map(float),
    columns([0.1, 0.2, 0.33, 0.4, 0.45, 0.5, 0.62, 0.8, float("nan")]),
    columns([0.0, 30.0, 60.0, 85.0, 90.0, 100.0]),
    columns([0, 99, 100, 5000]),
    columns([10, 1000, 70_000]),
)
def test_the_choice_is_that_of_a_plain_second_implementation(
    choice: StrikeChoice,
    action: Action,
    min_delta: float | None,
    spot: float,
    delta: Any,
    bid: Any,
    volume: Any,
    oi: Any,
) -> None:
    chain = view(spot, delta=delta, bid_price=bid, ask_price=bid + 1, volume=volume, oi=oi)
    selection = chosen_by(chain, choice, action, min_delta)
    scores = {one.strike: one.score for one in selection.candidates}
    assert strike_of(selection) == plainly_chosen(chain, choice, action, min_delta, scores)
