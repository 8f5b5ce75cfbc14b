from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.option_chain import ChainView
from services.executor.domain.policy import ChainFilter, ScoreWeights
from services.executor.domain.selection import Candidate, Selection, select
from tests.unit.services.executor.builders import EXPIRY, NOW, option, token_of

TERMS = ("distance_term", "delta_term", "volatility_term", "liquidity_term", "spread_term")
STRIKES = tuple(range(24_700, 25_301, 50))


def view(spot: float = 25_000.0, **columns: Any) -> ChainView:
    """Thirteen strikes, each a call and a put; columns are by strike, for both types alike."""
    strike = np.repeat(np.array(STRIKES, float), 2)
    is_call = np.tile([True, False], len(STRIKES))
    kinds = ["CE" if call else "PE" for call in is_call]
    tokens = [token_of(k, kind) for k, kind in zip(strike, kinds, strict=True)]
    rows = len(strike)

    def column(name: str, otherwise: float, kind: Any = float) -> Any:
        given = columns.get(name, otherwise)
        return np.full(rows, given, kind) if np.isscalar(given) else np.repeat(given, 2)

    bid, ask = column("bid_price", 99.5), column("ask_price", 100.5)
    with np.errstate(invalid="ignore"):
        mid = np.where((bid > 0) & (ask >= bid), (bid + ask) / 2, np.nan)
    return ChainView(
        underlying="NIFTY",
        expiry=EXPIRY,
        spot=spot,
        forward=spot,
        at_ms=NOW,
        years=0.02,
        instrument_token=np.array(tokens, np.int64),
        strike=strike,
        is_call=is_call,
        last_price=column("last_price", 100.0),
        bid_price=bid,
        bid_quantity=column("bid_quantity", 1000, np.int64),
        ask_price=ask,
        ask_quantity=column("ask_quantity", 1000, np.int64),
        volume=column("volume", 5000, np.int64),
        oi=column("oi", 50_000, np.int64),
        quoted_at_ms=column("quoted_at_ms", NOW, np.int64),
        mid=mid,
        spread_fraction=(ask - bid) / mid,
        implied_volatility=column("implied_volatility", 0.12),
        delta=column("delta", 0.5),
        gamma=column("gamma", 0.0),
        theta=column("theta", 0.0),
        vega=column("vega", 0.0),
        rho=column("rho", 0.0),
    )


CONTRACTS = [option(k, kind) for k in STRIKES for kind in ("CE", "PE")]


def chosen_from(
    chain: ChainView,
    action: Literal["BUY", "SELL"] = "BUY",
    rules: ChainFilter | None = None,
    weights: ScoreWeights | None = None,
) -> Selection:
    at = {one.instrument_token: one for one in CONTRACTS}
    contracts = [at[token] for token in chain.instrument_token.tolist()]
    return select(chain, contracts, action, NOW, rules or ChainFilter(), weights or ScoreWeights())


def by_strike(values: dict[int, float], otherwise: float) -> Any:
    return np.array([values.get(strike, otherwise) for strike in STRIKES])


def refusals(selection: Selection) -> dict[float, str]:
    return {one.strike: one.refusal for one in selection.candidates if one.refusal}


@pytest.mark.parametrize(("action", "kind"), [("BUY", "CE"), ("SELL", "PE")])
def test_calls_are_bought_for_a_buy_and_puts_for_a_sell(
    action: Literal["BUY", "SELL"], kind: str
) -> None:
    selection = chosen_from(view(), action)
    assert {one.tradingsymbol[-2:] for one in selection.candidates} == {kind}
    assert selection.chosen is not None
    assert selection.chosen.tradingsymbol.endswith(kind)


def test_only_strikes_within_three_of_the_money_are_looked_at() -> None:
    selection = chosen_from(view(spot=25_010.0))
    assert [one.strike for one in selection.candidates] == list(range(24_850, 25_151, 50))
    assert [one.strikes_from_atm for one in selection.candidates] == [-3, -2, -1, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("column", "bad", "good", "reason"),
    [
        ("volume", 99, 100, "low_volume"),
        ("oi", 999, 1000, "low_oi"),
        ("quoted_at_ms", NOW - 15_001, NOW - 15_000, "old_quote"),
        ("bid_price", 0.0, 99.0, "no_two_sided_quote"),
        ("bid_price", float("nan"), 99.0, "no_two_sided_quote"),
        ("bid_price", 101.0, 100.5, "no_two_sided_quote"),
        ("ask_price", 0.0, 101.0, "no_two_sided_quote"),
        ("ask_price", 104.61, 104.59, "wide_spread"),
    ],
)
def test_each_filter_refuses_just_past_its_limit_and_keeps_the_row(
    column: str, bad: float, good: float, reason: str
) -> None:
    usual = {"volume": 5000, "oi": 50_000, "quoted_at_ms": NOW, "bid_price": 99.5}
    otherwise = usual.get(column, 100.5)
    at_the_limit = view(**{column: by_strike({25_000: good}, otherwise)})
    assert not refusals(chosen_from(at_the_limit))
    past = chosen_from(view(**{column: by_strike({25_000: bad}, otherwise)}))
    assert refusals(past) == {25_000.0: reason}
    assert len(past.candidates) == 7
    refused = next(one for one in past.candidates if one.refusal)
    assert (refused.score, refused.distance_term) == (0.0, 0.0)
    assert past.chosen is not None
    assert past.chosen.strike != 25_000


def test_volume_and_open_interest_are_counted_in_units_not_lots() -> None:
    thin = chosen_from(view(volume=100, oi=1000))
    assert not refusals(thin)


def test_without_an_eligible_contract_the_refusal_counts_the_reasons() -> None:
    selection = chosen_from(view(volume=by_strike({25_000: 50}, 5000), oi=10))
    assert selection.chosen is None
    assert selection.refusal is not None
    assert selection.refusal.reason == "no_contract"
    assert selection.refusal.numbers == {"low_oi": 6.0, "low_volume": 1.0}
    assert len(selection.candidates) == 7


def test_a_refusal_for_old_quotes_names_the_nearest_to_the_money_and_its_age() -> None:
    old = chosen_from(view(quoted_at_ms=NOW - 20_000))
    assert old.refusal is not None
    assert old.refusal.reason == "old_quotes"
    assert old.refusal.numbers == {
        "old_quote": 7.0,
        "quote": "NIFTY26061625000CE",
        "age_seconds": 20.0,
        "budget_seconds": 15.0,
    }
    mixed = chosen_from(view(quoted_at_ms=by_strike({25_000: NOW - 20_000}, NOW), volume=1))
    assert mixed.refusal is not None
    assert (mixed.refusal.reason, mixed.refusal.numbers["low_volume"]) == ("no_contract", 6.0)
    assert mixed.refusal.numbers["quote"] == "NIFTY26061625000CE"


def test_a_table_rounds_what_was_computed() -> None:
    row = chosen_from(view(delta=0.5 + 1e-12)).candidates[0].row()
    assert (row["delta"], row["implied_volatility"]) == (0.5, 0.12)


def test_equal_scores_go_to_the_strike_nearest_the_money() -> None:
    weights = ScoreWeights(distance=0, delta=0, volatility=0, liquidity=1, spread=0)
    chosen = chosen_from(view(spot=25_020.0), weights=weights).chosen
    assert chosen is not None
    assert chosen.strike == 25_000


def test_equal_scores_equally_near_the_money_go_to_the_lower_strike() -> None:
    weights = ScoreWeights(distance=0, delta=0, volatility=0, liquidity=1, spread=0)
    chain = view(volume=by_strike({25_000: 10}, 5000))
    chosen = chosen_from(chain, weights=weights).chosen
    assert chosen is not None
    assert chosen.strike == 24_950


@pytest.mark.parametrize(
    ("weights", "column", "values", "best"),
    [
        (ScoreWeights(1, 0, 0, 0, 0), "volume", {}, 25_000),
        (ScoreWeights(0, 1, 0, 0, 0), "delta", {25_100: 0.49, 24_900: 0.3}, 25_100),
        (ScoreWeights(0, 0, 1, 0, 0), "implied_volatility", {24_900: 0.10}, 24_900),
        (ScoreWeights(0, 0, 0, 1, 0), "volume", {25_150: 9000}, 25_150),
        (ScoreWeights(0, 0, 0, 1, 0), "oi", {24_850: 90_000}, 24_850),
        (ScoreWeights(0, 0, 0, 0, 1), "ask_price", {25_050: 100.0}, 25_050),
    ],
)
def test_each_weight_alone_chooses_what_its_term_likes_best(
    weights: ScoreWeights, column: str, values: dict[int, float], best: int
) -> None:
    otherwise = {"delta": 0.7, "implied_volatility": 0.12, "volume": 5000, "oi": 50_000}
    chain = view(**{column: by_strike(values, otherwise.get(column, 100.5))})
    chosen = chosen_from(chain, weights=weights).chosen
    assert chosen is not None
    assert chosen.strike == best


def test_a_put_near_minus_one_half_is_as_good_as_a_call_near_one_half() -> None:
    weights = ScoreWeights(0, 1, 0, 0, 0)
    chain = view(delta=by_strike({25_050: -0.5}, -0.8))
    chosen = chosen_from(chain, "SELL", weights=weights).chosen
    assert chosen is not None
    assert chosen.strike == 25_050


def test_a_greek_that_is_not_known_scores_nothing_and_is_stored_as_none() -> None:
    chain = view(delta=by_strike({25_000: float("nan")}, 0.5))
    selection = chosen_from(chain)
    unknown = next(one for one in selection.candidates if one.strike == 25_000)
    assert unknown.delta_term == 0.0
    assert unknown.row()["delta"] is None
    assert unknown.row()["strike"] == 25_000


def test_hand_computed_terms_of_two_candidates() -> None:
    rules = ChainFilter(strikes_from_atm=1)
    chain = view(
        volume=by_strike({24_950: 50, 25_000: 4000, 25_050: 1000}, 0),
        oi=by_strike({24_950: 9000, 25_000: 20_000, 25_050: 15_000}, 0),
        delta=by_strike({25_000: 0.6, 25_050: 0.45}, 0.9),
        implied_volatility=by_strike({25_000: 0.14, 25_050: 0.12}, 0.5),
        bid_price=by_strike({25_000: 99.0, 25_050: 98.0}, 99.0),
        ask_price=by_strike({25_000: 101.0, 25_050: 102.0}, 101.0),
    )
    selection = chosen_from(chain, rules=rules)
    low, money, high = selection.candidates
    assert low.refusal == "low_volume"
    assert [getattr(money, term) for term in TERMS] == pytest.approx([1.0, 0.0, 0.0, 1.0, 1.0])
    assert [getattr(high, term) for term in TERMS] == pytest.approx([0.0, 0.5, 1.0, 0.5, 0.0])
    assert money.score == pytest.approx(0.30 + 0.25 + 0.10)
    assert high.score == pytest.approx(0.20 * 0.5 + 0.15 + 0.25 * 0.5)
    assert selection.chosen == money


numbers = st.lists(st.floats(0.05, 3.0), min_size=len(STRIKES), max_size=len(STRIKES))
counts = st.lists(st.integers(0, 10**7), min_size=len(STRIKES), max_size=len(STRIKES))


@given(counts, counts, numbers, numbers, st.floats(24_000, 26_000))
def test_terms_lie_between_nothing_and_one_and_the_choice_has_the_highest_score(
    volume: list[int], oi: list[int], volatility: list[float], spread: list[float], spot: float
) -> None:
    ask = 99.5 + np.array(spread) * 2
    chain = view(
        spot,
        volume=np.array(volume),
        oi=np.array(oi),
        implied_volatility=np.array(volatility),
        ask_price=ask,
        delta=np.array(volatility) / 3,
    )
    selection = chosen_from(chain)
    eligible = [one for one in selection.candidates if not one.refusal]
    for one in eligible:
        assert all(0.0 <= getattr(one, term) <= 1.0 for term in TERMS)
        assert 0.0 <= one.score <= 1.0 + 1e-12
        assert one.volume >= 100
        assert one.oi >= 1000
        assert one.spread_fraction < 0.05
    assert (selection.chosen is None) == (not eligible)
    if selection.chosen is not None:
        assert selection.chosen.score == max(one.score for one in eligible)
        assert selection.refusal is None


@given(st.floats(24_750, 25_250))
def test_the_order_of_the_contracts_changes_nothing(spot: float) -> None:
    chain = view(spot, volume=np.arange(len(STRIKES)) * 100 + 100)
    backwards = replace(
        chain,
        **{
            name: getattr(chain, name)[::-1]
            for name in ChainView.__slots__
            if isinstance(getattr(chain, name), np.ndarray)
        },
    )
    one, other = chosen_from(chain), chosen_from(backwards)
    assert isinstance(one.chosen, Candidate)
    assert one.chosen == other.chosen
    assert list(one.candidates) == list(other.candidates)[::-1]
