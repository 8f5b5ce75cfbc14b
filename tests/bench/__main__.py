"""`make bench`: each figure beside its reference in the same run; a table, and var/bench.json.

`python -m tests.bench frames kafka` measures these alone.
"""

import json
import os
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from libs.runtime.logs import configure_logs
from tests.bench import (
    bench_backtest,
    bench_boundary,
    bench_candle,
    bench_decision,
    bench_exit,
    bench_frames,
    bench_intervals,
    bench_kafka,
    bench_libraries,
    bench_pipeline,
    bench_positions,
    bench_replay,
    bench_simulator,
    bench_sockets,
    bench_store,
    bench_topic,
)

BENCHES: Mapping[str, Callable[[], Mapping[str, float]]] = {
    "frames": bench_frames.measure,
    "simulator": bench_simulator.measure,
    "candle": bench_candle.measure,
    "boundary": bench_boundary.measure,
    "intervals": bench_intervals.measure,
    "decision": bench_decision.measure,
    "exit": bench_exit.measure,
    "positions": bench_positions.measure,
    "backtest": bench_backtest.measure,
    "libraries": bench_libraries.measure,
    "store": bench_store.measure,
    "topic": bench_topic.measure,
    "kafka": bench_kafka.measure,
    "pipeline": bench_pipeline.measure,
    "replay": bench_replay.measure,
    "sockets": bench_sockets.measure,
}
LEAST = {
    "decode_vs_kiteticker": 300.0,
    "candle_core_ticks_per_s": 10_000_000.0,
    "positions_ticks_per_s": 5_000_000.0,
    "backtest_candles_per_s": 500_000.0,
    "strategy_candles_per_s": 200_000.0,
    "backtest_vs_backtesting": 5.0,
    "simulator_ticks_per_s": 50_000.0,
    "kafka_candle_ticks_per_s": 1_000_000.0,
    "kafka_candle_vs_floor": 0.5,
    "tick_to_order_orders": 1000.0,
    "replay_times_real_time": 2000.0,
    "replay_candles_times_real_time": 20_000.0,
    "store_rows_per_s": 1_500_000.0,
    "store_vs_raw_driver": 0.8,
    "store_small_rows_per_s": 1_500_000.0,
    "store_small_vs_raw_driver": 0.8,
}
"""What a figure must reach."""
MOST = {
    "tick_to_order_vs_floor": 2.0,
    "recovery_s": 10.0,
    "minute_boundary_ms": 300.0,
    "interval_boundary_ms": 250.0,
    "candle_memory_mb": 400.0,
    "sockets_ticks_lost": 0.0,
    "sockets_ticks_not_in_candles": 0.0,
    "sockets_ingest_core": 0.25,
    "sockets_candle_core": 0.25,
    "decision_ms": 0.5,
    "exit_ms": 5.0,
    "exit_decision_us": 300.0,
    "chain_iv_greeks_us_per_option": 1.0,
    "bytes_per_stored_tick": 11.0,
    "bytes_per_tick_on_topic": 35.0,
}
"""What a figure must not exceed."""
OUT = Path("var/bench.json")


def run(names: Collection[str]) -> dict[str, float]:
    """Run benches, one after the other, and return name → value."""
    console = Console(stderr=True)
    figures: dict[str, float] = {}
    for name in names:
        with console.status(f"measuring {name} ..."):
            figures |= BENCHES[name]()
    return figures


def table_of(figures: Mapping[str, float]) -> Table:
    """Return the figures as a table; one that is not reached is marked."""
    table = Table(title=f"{os.cpu_count()} cores", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("wanted", justify="right")
    for name, value in figures.items():
        shown = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
        table.add_row(name, shown, wanted(name, value))
    return table


def wanted(name: str, value: float) -> str:
    """Return what a figure must reach or must not exceed, and whether it does not."""
    least, most = LEAST.get(name), MOST.get(name)
    if least is not None:
        return f"at least {least:,g}{' MISSED' if value < least else ''}"
    if most is not None:
        return f"at most {most:,g}{' MISSED' if value > most else ''}"
    return ""


def main() -> None:
    """Measure, show and write; the exit status is 0, since a machine may just be slow."""
    unknown = set(sys.argv[1:]) - set(BENCHES)
    if unknown:
        sys.exit(f"no bench is called {', '.join(sorted(unknown))}; known: {', '.join(BENCHES)}")
    configure_logs("error", "text")
    figures = run(sys.argv[1:] or BENCHES)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=2) + "\n")
    Console(file=sys.stdout, width=100).print(table_of(figures))
    Console(file=sys.stdout).print(f"written to {OUT}")


if __name__ == "__main__":
    main()
