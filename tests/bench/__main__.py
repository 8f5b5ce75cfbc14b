"""`make bench`: each figure beside its reference in the same run; a table, and var/bench.json."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench import bench_frames, bench_simulator

BENCHES: Mapping[str, Callable[[], Mapping[str, float]]] = {
    "frames": bench_frames.measure,
    "simulator": bench_simulator.measure,
}
LEAST = {"decode_vs_kiteticker": 300.0, "simulator_ticks_per_s": 50_000.0}
"""What a figure must reach."""
OUT = Path("var/bench.json")


def run() -> dict[str, float]:
    """Run all benches, one after the other, and return name → value."""
    console = Console(stderr=True)
    figures: dict[str, float] = {}
    for name, measure in BENCHES.items():
        with console.status(f"measuring {name} ..."):
            figures |= measure()
    return figures


def table_of(figures: Mapping[str, float]) -> Table:
    """Return the figures as a table; one that is not reached is marked."""
    table = Table(title=f"{os.cpu_count()} cores", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("at least", justify="right")
    for name, value in figures.items():
        least = LEAST.get(name)
        is_missed = least is not None and value < least
        shown = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
        wanted = "" if least is None else f"{least:,.0f}{' MISSED' if is_missed else ''}"
        table.add_row(name, shown, wanted)
    return table


def main() -> None:
    """Measure, show and write; the exit status is 0, since a machine may just be slow."""
    figures = run()
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=2) + "\n")
    Console(file=sys.stdout, width=100).print(table_of(figures))
    Console(file=sys.stdout).print(f"written to {OUT}")


if __name__ == "__main__":
    main()
