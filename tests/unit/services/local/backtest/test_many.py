"""Many backtests give what each gives alone, over the cores, after an interruption, and ranked."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from services.local.backtest.errors import BacktestError
from services.local.backtest.many.asking import asked_of
from services.local.backtest.many.runs import RUNS, Asked, Done, days_of, run_many, run_one
from services.local.backtest.many.table import ranked, table_of
from services.local.backtest.result import BacktestRequest
from services.local.backtest.run import run_backtest
from services.local.backtest.trading import InUnderlying
from services.strategy.domain.registry import UnknownStrategy
from services.strategy.finding import known_strategies
from tests.unit.services.local.backtest.histories import random_walk

HISTORIES = (random_walk(400), replace(random_walk(400, seed=8), tradingsymbol="SBIN"))
REQUEST = BacktestRequest(strategy="ma_crossover")
KNOWN = known_strategies()
ASKED = asked_of(["ma_crossover"], ["fast=5,9", "slow=8..20..12"], KNOWN)


def done(out: Path, asked: Sequence[Asked] = ASKED, **how: object) -> list[Done]:
    return run_many(REQUEST, asked, HISTORIES, None, out, workers=1, **how)  # type: ignore[arg-type]


def test_the_sets_of_a_grid_are_asked_for_but_those_that_are_refused() -> None:
    sets = [{"fast": 5, "slow": 8}, {"fast": 5, "slow": 20}, {"fast": 9, "slow": 20}]
    assert [one.parameters for one in ASKED] == sets


@pytest.mark.parametrize("word", ["fast", "=5", "fast=", ""])
def test_a_word_that_is_no_parameter_is_named(word: str) -> None:
    with pytest.raises(BacktestError, match=r"write --param name=value"):
        asked_of(["ma_crossover"], [word], KNOWN)


def test_a_parameter_that_is_given_twice_is_named() -> None:
    with pytest.raises(BacktestError, match=r"fast is given twice; a grid is fast=1,2,3"):
        asked_of(["ma_crossover"], ["fast=5", "fast=6"], KNOWN)


def test_an_unknown_strategy_among_several_is_named() -> None:
    with pytest.raises(UnknownStrategy, match="magic"):
        asked_of(["ma_crossover", "magic"], [], KNOWN)


def test_one_of_many_comes_to_what_it_comes_to_alone() -> None:
    alone = run_backtest(replace(REQUEST, parameters={"fast": 5}), HISTORIES, KNOWN)
    one = run_one(replace(REQUEST, parameters={"fast": 5}), HISTORIES, KNOWN, InUnderlying())
    assert (one.signals, one.trades) == (len(alone.signals), len(alone.trades))
    assert one.trades > 10
    assert Decimal(one.net) == sum(trade.net for trade in alone.trades)
    assert sum(one.daily) == pytest.approx(float(Decimal(one.net) / REQUEST.capital))
    assert len(one.daily) == len(days_of(HISTORIES))


def test_two_processes_give_what_one_gives(tmp_path: Path) -> None:
    both = run_many(REQUEST, ASKED, HISTORIES, None, tmp_path / "two", workers=2)
    assert both == done(tmp_path / "one")


def test_a_run_that_was_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = done(tmp_path)
    lines = (tmp_path / RUNS).read_text().splitlines(keepends=True)
    (tmp_path / RUNS).write_text(lines[0] + lines[1][:40])
    seen: list[int] = []
    assert done(tmp_path, is_resumed=True, on_done=lambda: seen.append(1)) == whole
    assert len(seen) == len(ASKED)
    assert done(tmp_path, is_resumed=True) == whole
    assert sum(line.endswith("]}") for line in (tmp_path / RUNS).read_text().splitlines()) == 3


def test_what_was_done_for_other_candles_or_another_request_is_not_taken(tmp_path: Path) -> None:
    first = done(tmp_path)
    other = replace(REQUEST, slippage=Decimal("0.01"))
    again = run_many(other, ASKED, HISTORIES, None, tmp_path, is_resumed=True, workers=1)
    assert [one.net for one in again] != [one.net for one in first]
    candles = (random_walk(400, seed=9),)
    third = run_many(REQUEST, ASKED, candles, None, tmp_path, is_resumed=True, workers=1)
    assert [one.net for one in third] != [one.net for one in first]


def test_an_edited_strategy_is_run_again(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    text = (
        "from alphastocks import Strategy\n\n\nclass Own(Strategy):\n    name = 'own'\n"
        "    history_needed = 5\n\n    def on_candle(self, candle):\n"
        "        if candle.opened_ms % 7200000:\n            return None\n"
        "        return self.buy(candle, stop_loss=0.9 * candle.close, "
        "target=PART * candle.close, confidence=0.7)\n"
    )
    nets = []
    for part in ("1.002", "1.05"):
        file.write_text(text.replace("PART", part))
        (one,) = run_many(
            replace(REQUEST, strategy="own"),
            [Asked("own", {})],
            HISTORIES,
            tmp_path,
            tmp_path / "out",
            is_resumed=True,
        )
        nets.append(one.net)
    assert nets[0] != nets[1]


def test_the_ranking_has_every_set_with_the_parameters_that_differ(tmp_path: Path) -> None:
    asked = asked_of(["ma_crossover"], ["fast=5", "slow=8,20,30"], KNOWN)
    _, places = ranked(done(tmp_path, asked))
    assert [one.rank for one in places] == [1, 2, 3]
    assert {one.parameters for one in places} == {"slow=8", "slow=20", "slow=30"}
    lines = table_of(places).splitlines()
    assert lines[0].startswith("rank,strategy,parameters,signals,trades,win_rate,net,charges")
    assert len(lines) == 4
