"""Strategies of other packages are found by their entry points."""

from pathlib import Path

import pytest

from services.strategy.domain.registry import UnknownStrategy, make_strategy
from services.strategy.finding import known_strategies

MODULE = """
from alphastocks import Candle, Strategy, StrategySignal

class Silent(Strategy):
    name = "silent"

    def __init__(self, span: int = 3) -> None:
        self.span = span

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        return None
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, points: str) -> None:
    """Write a package with entry points, as an installer would."""
    (folder / "brought_strategies.py").write_text(MODULE)
    package = folder / "brought-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: brought\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[alphastocks.strategies]\n{points}\n")
    monkeypatch.syspath_prepend(str(folder))


def test_a_strategy_of_another_package_is_known_and_takes_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "silent = brought_strategies:Silent")
    known = known_strategies()
    assert {"silent", "ma_crossover"} <= set(known.classes)
    assert known.sources["silent"] == "in package brought"
    assert make_strategy("silent", {"span": 5}, known).parameters == {"span": 5}
    with pytest.raises(UnknownStrategy, match="spam"):
        make_strategy("silent", {"spam": 5}, known)


@pytest.mark.parametrize(
    ("points", "culprit"),
    [
        ("silent = brought_strategies:Loud", "silent: brought_strategies:Loud"),
        ("silent = nowhere_at_all:Silent", "nowhere_at_all"),
        ("silent = brought_strategies:Candle", "not a subclass of alphastocks.Strategy"),
        ("loud = brought_strategies:Silent", "has the name 'silent'"),
    ],
)
def test_a_broken_entry_point_is_named(
    points: str, culprit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, points)
    known = known_strategies()
    name = points.split(" = ", maxsplit=1)[0]
    assert name not in known.classes
    with pytest.raises(UnknownStrategy, match=culprit):
        make_strategy(name, {}, known)
    assert make_strategy("ma_crossover", {}, known).name == "ma_crossover"


def test_what_is_not_named_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "silent = brought_strategies:Silent\nloud = loud_module:Loud")
    (tmp_path / "loud_module.py").write_text("raise SystemExit('it ran')")
    files = tmp_path / "files"
    files.mkdir()
    own = MODULE.replace('"silent"', '"mine"')
    (files / "a_first.py").write_text("raise SystemExit('it ran')")
    (files / "mine.py").write_text(own)
    known = known_strategies(files, {"silent", "mine"})
    assert known.broken == {}
    assert {"silent", "mine"} <= set(known.classes)
    assert set(known_strategies(files, {"ma_crossover"}).classes) == set(
        known_strategies(files, ()).classes
    )
    assert "it ran" in known_strategies(files).broken["a_first"]


def test_a_file_of_another_name_is_run_where_a_name_is_missing(tmp_path: Path) -> None:
    (tmp_path / "several.py").write_text(MODULE.replace('"silent"', '"mine"'))
    assert "mine" in known_strategies(tmp_path, {"mine"}).classes
    assert "mine" not in known_strategies(tmp_path, {"rsi"}).classes
