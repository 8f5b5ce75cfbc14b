"""Thinning of lines, groups of trades, and words of the report."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.local.backtest.report import words
from services.local.backtest.report.charts import groups
from services.local.backtest.report.thinning import thinned
from services.local.backtest.report.times import duration
from tests.unit.services.local.backtest.made_results import result, trade

NINE_MS = 1_711_942_200_000  # Monday, 1 April 2024, 09:00 in India
HOUR_MS = 3_600_000


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(4, 100))
def test_a_thinned_line_keeps_its_ends_and_its_extremes(values: list[float], most: int) -> None:
    line = np.array(values)
    kept = thinned(line, most)
    assert len(kept) <= max(most, 0)
    assert (np.diff(kept) > 0).all()
    assert (kept[0], kept[-1]) == (0, len(line) - 1)
    assert (line[kept].min(), line[kept].max()) == (line.min(), line.max())


@pytest.mark.parametrize(
    ("span", "step"), [(0, 1), (23, 1), (25, 2), (100, 5), (240, 10), (241, 20), (5_000, 500)]
)
def test_steps_are_round_numbers(span: float, step: float) -> None:
    assert groups.nice_step(span, 24) == step


@given(st.lists(st.decimals(-20_000, 20_000, places=2), min_size=1, max_size=40))
def test_the_distribution_counts_every_trade_once(nets: list[object]) -> None:
    (bars,) = groups.distribution_chart([trade(str(net)) for net in nets])["data"]
    assert sum(bars["y"]) == len(nets)
    below = [many for at, many in zip(bars["x"], bars["y"], strict=True) if at < 0]
    assert sum(below) == sum(float(str(net)) < 0 for net in nets)


def test_hours_and_weekdays_are_those_of_entries_in_india() -> None:
    trades = [
        trade("100", entered_ms=NINE_MS + HOUR_MS // 2),
        trade("-30", entered_ms=NINE_MS + HOUR_MS - 1),
        trade("7", entered_ms=NINE_MS + 24 * HOUR_MS + HOUR_MS),
    ]
    (hours,) = groups.hour_chart(trades)["data"]
    assert (hours["x"], hours["y"]) == (["09:00", "10:00"], [70.0, 7.0])
    assert "2 trades, 50% won" in hours["hovertext"][0]
    (days,) = groups.weekday_chart(trades)["data"]
    assert (days["x"], days["y"]) == (["Mon", "Tue"], [70.0, 7.0])


def test_exits_are_grouped_by_their_reason_in_words() -> None:
    trades = [trade("1", reason="opposite_signal"), trade("2", reason="stop_loss")]
    (bars,) = groups.reason_chart(trades)["data"]
    assert bars["x"] == ["opposite signal", "stop loss"]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 min"), (5_400, "1 h 30 min"), (90_000, "1 d 1 h")]
)
def test_durations_have_two_units(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_few_trades_and_gains_that_charges_eat_are_warned_of() -> None:
    made = result(trades=3)
    assert "Only 3 trades: fewer than 30 cannot tell a good rule from luck." in list(
        words.warnings(made)
    )
    eaten = replace(made, measures={**made.measures, "gross": 50.0, "net": -10.0})
    assert "The rule gained before charges and did not after them." in list(words.warnings(eaten))
    one = replace(made, measures={**made.measures, "gross": 9.0, "net": 100.0, "best_trade": 90.0})
    assert any("One trade made 90% of the profit" in said for said in words.warnings(one))


def test_the_outcome_says_gains_and_losses_without_signs() -> None:
    made = result(trades=3)
    lost = {**made.measures, "gross": -50.0, "charges": 30.0, "net": -80.0, "return": -0.00008}
    assert words.outcome(replace(made, measures=lost)) == (
        "3 trades lost ₹80.00 after charges, 0.01% of the capital. "
        "Before charges it was a loss of ₹50.00; charges were ₹30.00."
    )


def test_without_a_trade_the_outcome_is_the_capital() -> None:
    assert (
        words.outcome(result(trades=0)) == "No trade was made: ₹10,00,000.00 stayed as they were."
    )
