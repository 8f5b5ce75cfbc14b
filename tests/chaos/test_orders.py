"""A sample of the days in which one thing goes wrong; `make chaos-orders` plays all of them."""

import json
from pathlib import Path

import pytest

from tests.chaos.faults import FAULTS
from tests.chaos.invariants import INVARIANTS
from tests.chaos.orders import Report, main, play_all, repeated, runs_of
from tests.chaos.world import play_fault

RUNS = 500


@pytest.fixture(scope="module")
def report() -> Report:
    """Return what came of the sample."""
    report = Report()
    for outcome in play_all(runs_of(RUNS, list(FAULTS))):
        report.add(outcome)
    return report


def test_no_invariant_is_broken_whatever_fails(report: Report) -> None:
    assert report.first == []
    assert report.violations == 0


def test_most_days_have_orders_and_most_faults_happen(report: Report) -> None:
    assert report.runs == RUNS
    assert report.traded > 0.9 * RUNS
    assert report.hit.total() > 0.5 * RUNS


def test_the_same_fault_and_seed_give_the_same_day() -> None:
    for fault in (
        "place.wire:late",
        "flush.after:crash",
        "confirm.after:pause",
        "fetch.before:stop",
    ):
        assert play_fault(fault, 3) == play_fault(fault, 3)


def test_there_are_many_fault_points_and_each_has_a_name() -> None:
    assert len(FAULTS) >= 30
    assert all(name.endswith(f"{one.point}:{one.effect}") for name, one in FAULTS.items())


def test_the_report_has_numbers_and_how_to_repeat_a_day(tmp_path: Path) -> None:
    out = tmp_path / "chaos" / "orders.json"
    assert main(["--runs", "2", "--only", "nothing:wrong", "--jobs", "1", "--out", str(out)]) == 0
    told = json.loads(out.read_text())
    assert (told["runs"], told["fault_points"], told["violations"]) == (2, 1, 0)
    assert set(told["invariants"]) == set(INVARIANTS)
    assert repeated("update:lost", 7) == (
        "python -m tests.chaos.orders --only update:lost --seed 7"
    )
