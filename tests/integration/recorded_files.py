"""What became of each recorded file: the tables of docs/recorded-files.md, and how they are made.

`python -m tests.integration.recorded_files FOLDER` prints the tables of ticks.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Literal

import pandas as pd

from libs.market.dump import read_dump
from services.ingest.recordings.forms import content_of
from services.ingest.recordings.named import NOTHING, Named
from tests.integration.folded import Folded, folded

PAGE = Path(__file__).parents[2] / "docs" / "recorded-files.md"
PRICES = ("open", "high", "low", "close")
COUNTED = ("duplicate", "outside_session", "epoch_zero", "other_day", "late")
FLAGGED = ("time_back", "volume_back")
COLUMNS = (
    *("file", "rows", "accepted", *COUNTED, *FLAGGED, "candles"),
    *("bars", "prices differ", "volumes differ"),
)
Row = tuple[str, ...]
FUTURES = Named(exchange="NFO", expiry=date(2025, 11, 25))


def named_of(data: Path, name: str) -> Named:
    """Return what has to be said of a file beside it."""
    if name.startswith("futures_ticks"):
        return FUTURES
    if name.startswith("kite_ticks/index"):
        dump = data / "instruments" / "NSE_20251008.csv.gz"
        return Named(dump=read_dump(content_of(dump), str(dump)).instruments)
    return NOTHING


def folded_file(data: Path, name: str) -> Folded:
    """Fold a file: `ticks_2021/2021-06-09/RELIANCE`, or the path of another one."""
    folder, *rest = name.split("/")
    if folder == "ticks_2021":
        day, symbol = rest
        return folded(data / folder, date.fromisoformat(day), [symbol])
    day = next(part for part in rest[0].replace(".", "_").split("_") if part.startswith("20"))
    return folded(data / name, date.fromisoformat(day), named=named_of(data, name))


def row_of(made: Folded, bars: pd.DataFrame | None, name: str) -> Row:
    """Return a file's row of the table; `bars` are those of others, if there are any."""
    rejected, flagged = made.counts.rejected, made.counts.flagged
    numbers = [
        *(made.rows, made.counts.accepted),
        *(rejected[reason] for reason in COUNTED),
        *(flagged[reason] for reason in FLAGGED),
        len(made.table()),
    ]
    assert sum(rejected.values()) == sum(rejected[reason] for reason in COUNTED)
    compared = ["–"] * 3 if bars is None else [len(bars), *differing(made.table(), bars)]
    return (name, *(str(number) for number in (*numbers, *compared)))


def bars_of(data: Path, name: str) -> pd.DataFrame | None:
    """Return the independent one-minute bars of a file of ticks_2021, None without any."""
    folder, *rest = name.split("/")
    file = data / "nse_1min_from_ticks" / f"{rest[0]}.csv.gz"
    if folder != "ticks_2021" or not file.exists():
        return None
    bars = pd.read_csv(file, parse_dates=["timestamp"])
    return bars[bars.symbol == rest[1]].set_index("timestamp")


def side_by_side(
    bars: pd.DataFrame, ours: pd.DataFrame, how: Literal["inner", "outer"] = "inner"
) -> pd.DataFrame:
    """Join bars and candles by their minute; the columns of ours end in `_ours`."""
    suffixes = ("", "_ours")
    return bars.merge(ours, how=how, left_index=True, right_index=True, suffixes=suffixes)


def differing(ours: pd.DataFrame, bars: pd.DataFrame) -> tuple[int, int]:
    """Return of how many minutes a price differs, or only one has it, and of how many the volume.

    A volume that the bars do not have is not compared.
    """
    mine = ours.droplevel("symbol")
    both = side_by_side(bars, mine, "outer")
    unequal = pd.concat([both[name] != both[f"{name}_ours"] for name in PRICES], axis=1)
    volume = both["volume"].notna() & (both["volume"] != both["volume_ours"])
    return int(unequal.any(axis=1).sum()), int(volume.sum())


def names_of(data: Path) -> Iterator[str]:
    """Yield the recorded files of ticks."""
    for day in sorted((data / "ticks_2021").iterdir()):
        for file in sorted(day.iterdir()):
            yield f"ticks_2021/{day.name}/{file.name.removesuffix('.csv.gz')}"
    yield from ("nifty_1sec_2022/2022-08-10.csv.gz", "nifty_1sec_2022/2022-08-12.csv.gz")
    yield "futures_ticks/2025-11-17_RELIND_MCX.csv.gz"
    yield "kite_ticks/RELIANCE_full_2021-04-30.jsonl"
    yield "kite_ticks/index_full_2023-09-06.jsonl"
    yield from ("ltp_polls/NSE_RELIANCE_2025-06-26.csv", "ltp_polls/NSE_SBIN_2025-06-26.csv")


def told() -> Mapping[str, Row]:
    """Return the rows that the page tells, by file."""
    lines = (line for line in PAGE.read_text().splitlines() if line.startswith("| `"))
    cells = [tuple(cell.strip(" `") for cell in line.strip("|").split("|")) for line in lines]
    return {row[0]: row for row in cells if len(row) == len(COLUMNS)}


def table_of(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as the page has them."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|---|{'---:|' * (len(COLUMNS) - 1)}"]
    lines += [f"| `{name}` | {' | '.join(cells)} |" for name, *cells in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    sys.stdout.write(
        table_of(
            row_of(folded_file(place, name), bars_of(place, name), name) for name in names_of(place)
        )
        + "\n"
    )
