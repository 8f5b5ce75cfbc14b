"""Many backtests are ranked by past days, judged by later ones, and luck is taken out."""

from math import sqrt

import numpy as np
import pytest

from services.local.backtest.many.ranking import (
    DAYS_A_YEAR,
    deflated_sharpe,
    expected_maximum,
    folds,
    probability_above,
    rank,
    sharpe,
)

CHANCE = np.random.default_rng(7)


def test_each_fold_is_judged_on_days_after_those_that_it_was_chosen_on() -> None:
    found = list(folds(103, 4))
    assert len(found) == 4
    for fold in found:
        assert fold.chosen_on.start == 0
        assert fold.chosen_on.stop == fold.judged_on.start
    assert found[-1].judged_on.stop == 103
    assert list(folds(4, 4)) == []


def test_the_sharpe_ratio_is_that_of_a_plain_computation() -> None:
    returns = CHANCE.normal(0.001, 0.01, (60, 3))
    for column, ratio in enumerate(sharpe(returns)):
        mine = returns[:, column].tolist()
        mean = sum(mine) / len(mine)
        deviation = sqrt(sum((one - mean) ** 2 for one in mine) / (len(mine) - 1))
        assert ratio == pytest.approx(mean / deviation * sqrt(DAYS_A_YEAR), rel=1e-12)


def test_returns_that_do_not_vary_have_no_sharpe_ratio() -> None:
    assert np.isnan(sharpe(np.zeros((10, 1)))).all()
    assert np.isnan(sharpe(np.ones((1, 2)))).all()


def test_the_example_of_the_paper_comes_out() -> None:
    # Bailey and López de Prado (2014): 100 tries, variance 1/2 a year, ratio 2.5 over 1250 days.
    ratio, deviation = 2.5 / sqrt(250), sqrt(0.5 / 250)
    threshold = deviation * expected_maximum(100)
    assert threshold == pytest.approx(0.1132, abs=1e-4)
    assert probability_above(ratio, threshold, 1250, -3.0, 10.0) == pytest.approx(0.9004, abs=1e-4)


def test_the_expected_maximum_is_that_of_drawn_numbers() -> None:
    drawn = CHANCE.normal(size=(20_000, 50)).max(axis=1).mean()
    assert expected_maximum(50) == pytest.approx(float(drawn), rel=0.02)


def test_skill_is_told_from_the_best_of_many_without_skill() -> None:
    luck = CHANCE.normal(0.0, 0.01, (500, 200))
    skill = luck.copy()
    skill[:, 17] += 0.004
    best_of_luck = rank(luck, [100] * 200)
    best_of_skill = rank(skill, [100] * 200)
    assert best_of_skill.order[0] == 17
    assert best_of_skill.deflated > 0.99
    assert best_of_luck.deflated < 0.9
    assert {choice.column for choice in best_of_skill.choices} == {17}
    assert best_of_skill.outside[17] > 2


def test_few_trades_and_picking_the_best_of_many_are_warned_of() -> None:
    returns = CHANCE.normal(0.0, 0.01, (100, 5))
    said = " ".join(rank(returns, [3] * 5).warnings)
    assert "only 3 trades" in said
    assert "best of 5 was picked" in said


def test_a_loss_on_the_days_after_is_warned_of() -> None:
    days = np.arange(100.0)
    returns = np.column_stack([np.where(days < 20, 0.01, -0.01) + 0.001 * np.cos(days)] * 2)
    assert any("made no profit" in said for said in rank(returns, [50, 50]).warnings)


def test_one_backtest_without_days_is_ranked_without_a_figure() -> None:
    ranking = rank(np.zeros((1, 1)), [0])
    assert ranking.order == (0,)
    assert np.isnan(ranking.deflated)
    assert np.isnan(ranking.inside).all()
    assert any("too few days" in said for said in ranking.warnings)


def test_equal_returns_keep_the_order_of_the_grid() -> None:
    returns = np.repeat(CHANCE.normal(0.001, 0.01, (50, 1)), 3, axis=1)
    assert rank(returns, [40] * 3).order == (0, 1, 2)
    assert np.isfinite(deflated_sharpe(returns, 0))
