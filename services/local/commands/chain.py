"""`alphastocks chain`: forward, implied volatility and greeks of recorded option chains."""

from pathlib import Path
from typing import Annotated, Any

import typer

from libs.market.calendar import load_calendar
from libs.market.instruments import underlying_name
from libs.runtime.settings import SettingsError
from services.local import screen
from services.local.commands.options import Config, settings_of
from services.local.commands.places import check_apart, check_file
from services.local.recorded_chains.ages import BUDGET_SECONDS, ages_of
from services.local.recorded_chains.reading import ChainRows, read_chain_rows
from services.local.recorded_chains.table import Counted, valued_of, write_table

Underlying = Annotated[
    str, typer.Option("--underlying", help="Whose options, such as NIFTY or RELIANCE.")
]


def chain(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="NSE's option chain, .csv or .csv.gz.")
    ],
    underlying: Underlying,
    out: Annotated[Path, typer.Option("--out", help="CSV file for the values.")],
    config: Config = None,
) -> None:
    """Compute forward, implied volatility and greeks for each snapshot, expiry and strike.

    The file has no spot: it is derived from put-call parity. The rate is `[executor.chain] rate`,
    and the formulas are the executor's.

    Example: `alphastocks chain NIFTY_2025-08-29.csv.gz --underlying NIFTY --out var/chain.csv`
    """
    settings = settings_of(config)
    check_underlying(underlying)
    check_file("--out", out)
    check_apart("--out", out, file)
    rows = read_chain_rows(file, underlying)
    for line in rows.left_out.lines:
        screen.console.print(line, soft_wrap=True)
    counted = _written(out, rows, settings.executor.chain.rate)
    screen.show_summary(f"Option chain of {rows.underlying}", _figures(rows, counted))
    screen.console.print(f"The values are in {out}")


def check_underlying(underlying: str) -> None:
    """Raise SettingsError if no underlying is named."""
    if not underlying_name(underlying):
        raise SettingsError("--underlying: no underlying is named")


def _written(out: Path, rows: ChainRows, rate: float) -> Counted:
    count = ages_of(rows).snapshots
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with screen.counted_progress(f"chain {rows.underlying}", count) as on_snapshot:
            return write_table(out, rows, valued_of(rows, load_calendar(), rate), on_snapshot)
    except OSError as error:
        raise SettingsError(f"--out: {out}: {error.strerror or error}") from None


def _figures(rows: ChainRows, counted: Counted) -> dict[str, Any]:
    ages = ages_of(rows)
    return {
        "snapshots": counted.snapshots,
        "rows": counted.rows,
        "rows_left_out": dict(rows.left_out.counts),
        "rows_without_a_forward": counted.without_forward,
        "implied_volatilities": counted.solved,
        "without_one": counted.options - counted.solved,
        "repeated_times": ages.repeated,
        f"older_than_{BUDGET_SECONDS}_s_when_collected": ages.stale,
        "oldest_seconds": float(ages.oldest_seconds),
    }
