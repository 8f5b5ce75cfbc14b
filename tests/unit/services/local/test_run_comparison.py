"""Two runs have the same signals, or each difference is named."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from libs.events.signals import StrategySignal
from libs.strategy.harness import make_candles, signals_of
from services.local.__main__ import app
from services.local.command import run
from services.local.run_comparison import SIGNALS, NotComparable, compare_runs
from services.strategy.domain.strategies.ma_crossover import MaCrossover

CLOSES = [100.0] * 60 + [120.0, 80.0, 130.0, 70.0]


def signals(source: str = "live") -> list[StrategySignal]:
    candles = [one._replace(source=source) for one in make_candles(CLOSES)]  # type: ignore[arg-type]
    return list(signals_of(MaCrossover(), candles))


def written(folder: Path, made: Sequence[StrategySignal]) -> Path:
    folder.mkdir()
    (folder / SIGNALS).write_text("".join(f"{one.model_dump_json()}\n" for one in made))
    return folder


def test_stored_and_live_candles_give_the_same_signals_though_with_other_ids(
    tmp_path: Path,
) -> None:
    live, stored = signals(), signals("backfill")
    assert {one.event_id for one in live}.isdisjoint(one.event_id for one in stored)
    compared = compare_runs(written(tmp_path / "one", live), written(tmp_path / "two", stored))
    assert (compared.same, compared.differences) == (len(live), ())
    assert len(live) == 4


def test_each_signal_that_differs_is_named(tmp_path: Path) -> None:
    first, second = signals(), signals()
    second[1] = second[1].model_copy(update={"price": second[1].price + 0.01})
    second[2] = second[2].model_copy(update={"price": second[2].price + 0.004})
    one, two = written(tmp_path / "one", first[:3]), written(tmp_path / "two", second[1:])
    compared = compare_runs(one, two)
    assert compared.same == 1
    assert [difference.what for difference in compared.differences] == [
        f"only in {one}, at 120",
        "price 80 and 80.01",
        f"only in {two}, at 70",
    ]


def test_a_difference_is_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = written(tmp_path / "a", signals()), written(tmp_path / "b", signals()[:-1])
    monkeypatch.setattr("sys.argv", ["alphastocks", "compare", str(one), str(two)])
    assert run(app) == 1
    said = capsys.readouterr()
    assert "at 70" in said.out
    assert "3 signals are the same, 1 differ" in said.err
    monkeypatch.setattr("sys.argv", ["alphastocks", "compare", str(one), str(one)])
    assert run(app) == 0
    assert "the same: 4 signals" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "culprit"),
    [(None, "No such file"), ("{}", "line 1: event_id"), ("no json", "line 1: Invalid JSON")],
)
def test_a_run_that_cannot_be_read_is_named(text: str | None, culprit: str, tmp_path: Path) -> None:
    one, two = written(tmp_path / "one", signals()), tmp_path / "two"
    two.mkdir()
    if text is not None:
        (two / SIGNALS).write_text(text)
    with pytest.raises(NotComparable, match=f"{SIGNALS}.*{culprit}"):
        compare_runs(one, two)
