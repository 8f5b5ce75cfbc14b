"""`python -m tests.chaos.orders`: many small trading days, in each of which one thing goes wrong.

The same fault and seed always give the same day, so that a violation can be repeated:
`python -m tests.chaos.orders --only place.wire:late --seed 7`.
"""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console
from rich.progress import Progress

from tests.chaos.faults import FAULTS
from tests.chaos.invariants import INVARIANTS
from tests.chaos.world import Outcome, play_fault

REPORT = Path("var/chaos/orders.json")
_SHOWN = 25
_CHUNK = 20
Run = tuple[str, int]


@dataclass(slots=True)
class Report:
    """What came of all runs."""

    runs: int = 0
    hit: Counter[str] = field(default_factory=Counter)
    traded: int = 0
    faults: set[str] = field(default_factory=set)
    violations: int = 0
    by_invariant: Counter[str] = field(default_factory=Counter)
    first: list[dict[str, str]] = field(default_factory=list)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def add(self, outcome: Outcome) -> None:
        """Count a run."""
        self.runs += 1
        self.hit[outcome.fault] += bool(outcome.happened)
        self.traded += outcome.traded
        self.faults.add(outcome.fault)
        for violation in outcome.violations:
            self.violations += 1
            self.by_invariant[violation.invariant] += 1
            if (violation.invariant, outcome.fault) not in self._seen:
                self._seen.add((violation.invariant, outcome.fault))
                self.first.append(
                    {
                        "invariant": violation.invariant,
                        "detail": violation.detail,
                        "repeat": repeated(outcome.fault, outcome.seed),
                    }
                )

    def as_json(self) -> dict[str, Any]:
        """Return the numbers, and how the first violations can be repeated."""
        return {
            "runs": self.runs,
            "fault_points": len(self.faults),
            "violations": self.violations,
            "runs_with_the_fault": self.hit.total(),
            "faults_that_never_happened": sorted(self.faults - set(+self.hit)),
            "runs_with_orders": self.traded,
            "invariants": {name: self.by_invariant[name] for name in INVARIANTS},
            "first": self.first[:_SHOWN],
        }


def repeated(fault: str, seed: int) -> str:
    """Return the command that plays a run again."""
    return f"python -m tests.chaos.orders --only {fault} --seed {seed}"


def runs_of(count: int, faults: Sequence[str]) -> Iterator[Run]:
    """Yield so many runs: each fault with seed 0, then each with seed 1, and so on."""
    return islice(((name, seed) for seed in range(count) for name in faults), count)


def play_all(runs: Iterable[Run]) -> list[Outcome]:
    """Play runs one after the other."""
    _be_silent()
    return [play_fault(fault, seed) for fault, seed in runs]


def _be_silent() -> None:
    """Log nowhere: the story of a run is what its world notes."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))


def _play_many(count: int, faults: Sequence[str], jobs: int) -> Report:
    runs, report = list(runs_of(count, faults)), Report()
    chunks = [runs[at : at + _CHUNK] for at in range(0, len(runs), _CHUNK)]
    with Progress(console=Console(stderr=True)) as progress, ProcessPoolExecutor(jobs) as pool:
        bar = progress.add_task("days", total=len(runs))
        for outcomes in pool.map(play_all, chunks):
            for outcome in outcomes:
                report.add(outcome)
            progress.update(bar, advance=len(outcomes))
    return report


def _show(outcome: Outcome) -> int:
    out = Console(highlight=False, soft_wrap=True)
    for line in outcome.story:
        out.print(line, markup=False)
    for violation in outcome.violations:
        out.print(f"{violation.invariant}: {violation.detail}", markup=False)
    out.print(f"{outcome.fault} {outcome.seed}: {len(outcome.violations)} violations", markup=False)
    return 1 if outcome.violations else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the runs asked for; return 1 if an invariant did not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10_000, help="how many days")
    parser.add_argument("--only", metavar="FAULT", choices=sorted(FAULTS), help="this fault alone")
    parser.add_argument("--seed", type=int, help="with --only: this one day, told step by step")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--out", type=Path, default=REPORT, help="where the report goes")
    asked = parser.parse_args(arguments)
    if asked.only and asked.seed is not None:
        return _show(play_all([(asked.only, asked.seed)])[0])
    report = _play_many(asked.runs, [asked.only] if asked.only else list(FAULTS), asked.jobs)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(report.as_json(), indent=2) + "\n")
    _summary(report, asked.out)
    return 1 if report.violations else 0


def _summary(report: Report, file: Path) -> None:
    out = Console(highlight=False, soft_wrap=True)
    out.print(f"{report.runs} days, {len(report.faults)} faults, {report.violations} violations")
    for one in report.first[:_SHOWN]:
        out.print(f"  {one['invariant']}: {one['detail']}\n    {one['repeat']}", markup=False)
    out.print(f"the report: {file}")


if __name__ == "__main__":
    sys.exit(main())
