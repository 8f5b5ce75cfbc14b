"""`--check` says which signals know the future, and whether history is too short."""

import pytest

from services.local import screen
from services.local.bias_screen import check_bias
from services.strategy.domain.strategies.ma_crossover import MaCrossover
from tests.unit.services.local.backtest.histories import random_walk


def test_too_short_a_history_is_said_with_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen.console, "_width", 200)
    assert not check_bias(MaCrossover(history_needed=5), [random_walk(500)])
    said = capsys.readouterr()
    assert "warm-up" in said.out
    assert "5 candles are too few for it; raise history_needed" in said.err


def test_a_strategy_without_bias_is_said_to_have_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert check_bias(MaCrossover(history_needed=400), [random_walk(500)])
    assert "No bias" in capsys.readouterr().out
