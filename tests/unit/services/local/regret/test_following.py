"""A followed candidate comes to what the services' own trade comes to."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from libs.events.positions import PositionClosed
from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from services.local.commands.regret import follower_of
from services.local.play.outcome import write_files
from services.local.play.replaying import Played
from services.local.regret.cases import RegretError, read_cases
from services.local.regret.comparing import scored
from services.local.regret.following import Followed
from services.local.regret.quotes import quotes_in
from tests.unit.services.local.recorded_chains.chain_files import (
    DAY,
    RATE,
    at,
    minutes,
    snapshots,
    strikes_around,
    write_chain,
)
from tests.unit.services.local.recorded_chains.played import (
    RECORDED,
    day_of,
    played,
    scripted,
    signal,
    snapshots_in,
)
from tests.unit.services.local.recorded_chains.test_exits import SETTINGS

WEIGHTS = {"distance": 0.30, "delta": 0.20, "volatility": 0.15, "liquidity": 0.25, "spread": 0.10}


def run_of(file: Path, folder: Path, lines: Sequence[Mapping[str, Any]]) -> Played:
    """Trade signals in a chain, and leave the outcome in `folder`/out."""
    day = day_of(file)
    run = played(day, scripted(folder, lines, day), SETTINGS)
    write_files(folder / "out", run.outcome.files())
    return run


def follow(file: Path, folder: Path) -> list[Followed]:
    quotes = quotes_in(file, "NIFTY", DAY, RATE, load_rulebook(), load_calendar())
    cases = read_cases(folder / "out")
    return follower_of(SETTINGS).follow(cases, quotes.contracts, quotes.snapshots)


def same_as_traded(run: Played, followed: list[Followed]) -> int:
    own = {one.case.signal_id: one for one in followed if one.candidate == one.case.own}
    closed = [one for one in run.outcome.events["positions"] if isinstance(one, PositionClosed)]
    for trade in closed:
        mine = own[trade.signal_id]
        assert (mine.net, mine.reason, mine.paid) == (trade.net, trade.exit_reason, trade.buy_value)
    return len(closed)


def test_each_recorded_trade_is_followed_to_the_same_end_and_the_same_paisa(
    recorded: Callable[[str], Path], tmp_path: Path
) -> None:
    file = recorded(RECORDED)
    moments = [m for m in snapshots_in(file, "02-Sep-2025") if m < at("14:40")]
    lines = [signal(m, ("BUY", "SELL")[n % 2]) for n, m in enumerate(moments[::18])]
    run = run_of(file, tmp_path, lines)
    followed = follow(file, tmp_path)
    assert same_as_traded(run, followed) > 8
    assert len(followed) > 6 * len(lines)


@pytest.fixture
def falling(tmp_path: Path) -> tuple[Path, Played]:
    """A chain that falls by 70 points, in which a call and a put were bought."""
    spots = [24_500.0, 24_505.0, 24_498.0, *[24_430.0] * 5]
    rows = snapshots(minutes("10:00", spots), strikes_around(24_500))
    file = write_chain(tmp_path / "chain.csv", rows)
    lines = [signal(at("10:00"), "BUY"), signal(at("10:00"), "SELL")]
    return file, run_of(file, tmp_path, lines)


def test_the_candidates_of_a_made_chain_end_by_their_own_levels(
    falling: tuple[Path, Played], tmp_path: Path
) -> None:
    file, run = falling
    followed = follow(file, tmp_path)
    assert same_as_traded(run, followed) == 2
    calls = [one for one in followed if one.candidate.tradingsymbol.endswith("CE")]
    puts = [one for one in followed if one.candidate.tradingsymbol.endswith("PE")]
    assert {one.reason for one in calls} == {"stop_loss"}
    assert "target" in {one.reason for one in puts}
    assert all(one.gain < 0 for one in calls)
    assert all(one.gain > 0 for one in puts)


def test_a_candidate_that_its_limit_does_not_get_comes_to_nothing(
    falling: tuple[Path, Played], tmp_path: Path
) -> None:
    spots = minutes("10:00", [24_500.0, *[24_560.0] * 6])
    file = write_chain(tmp_path / "rising.csv", snapshots(spots, strikes_around(24_500)))
    followed = follow(file, tmp_path)
    calls = [one for one in followed if one.candidate.tradingsymbol.endswith("CE")]
    puts = [one for one in followed if one.candidate.tradingsymbol.endswith("PE")]
    assert {(one.reason, one.gain) for one in calls} == {("entry_not_filled", 0.0)}
    assert all(one.paid > 0 for one in puts)


def test_a_decision_that_was_only_logged_has_the_exits_of_its_profile(
    falling: tuple[Path, Played], tmp_path: Path
) -> None:
    file, _ = falling
    traded = follow(file, tmp_path)
    (tmp_path / "out" / "orders.jsonl").write_text("")
    logged = follow(file, tmp_path)
    assert [(one.net, one.reason) for one in logged] == [(one.net, one.reason) for one in traded]


def test_what_is_still_held_when_the_quotes_end_is_valued_and_said_so(
    falling: tuple[Path, Played], tmp_path: Path
) -> None:
    spots = minutes("10:00", [24_500.0, 24_505.0, 24_498.0])
    short = write_chain(tmp_path / "short.csv", snapshots(spots, strikes_around(24_500)))
    assert {one.reason for one in follow(short, tmp_path)} == {"end_of_quotes"}


def test_the_weights_of_the_settings_choose_what_was_chosen(
    falling: tuple[Path, Played], tmp_path: Path
) -> None:
    for case in read_cases(tmp_path / "out"):
        assert scored(case, WEIGHTS) == case.own


@pytest.mark.parametrize("content", ["", '{"type":"ExecutionDecided"}\n'])
def test_an_outcome_without_a_choice_is_refused_by_name(content: str, tmp_path: Path) -> None:
    for name in ("decisions", "orders", "signals"):
        (tmp_path / f"{name}.jsonl").write_text(content if name == "decisions" else "")
    with pytest.raises(RegretError, match=str(tmp_path)):
        read_cases(tmp_path)


def test_a_folder_that_is_no_outcome_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegretError, match=r"decisions\.jsonl: No such file"):
        read_cases(tmp_path)
