"""Reader of CSV files with a header."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from services.ingest.recordings.errors import RecordingError
from services.ingest.recordings.names import NUMBERS
from services.ingest.recordings.table import Table


def read_csv(path: Path, content: bytes) -> Table:
    """Read CSV; a row with more fields than the header names is left out and counted."""
    surplus: Sequence[int] = ()
    frame = _parsed(path, content)
    if frame is None:
        content, surplus = _without_surplus(content)
        frame = _parsed(path, content)
    if frame is None:
        raise RecordingError(f"{path}: line 2: more fields than the header names")
    # blank lines keep their number, so that a row can be named by its line
    texts = frame.select_dtypes(include=["object", "string"])
    if len(texts.columns) == len(frame.columns) or len(frame) == 0:
        frame = frame[~texts.isin(["", np.nan]).all(axis="columns")]
    table = Table(path, frame, blank_is_damage=True)
    if surplus:
        said = f"{table.where(surplus[0])}: more fields than the header names"
        table.left_out.add("surplus_fields", len(surplus), said)
    return table


def _parsed(path: Path, content: bytes) -> pd.DataFrame | None:
    """Return the rows, None if some have more fields than the header names.

    Numbers are read as such where each can be, which is faster, else as text.
    """
    head = content[: content.find(b"\n", content.find(b"\n") + 1)]
    names = content[: content.find(b"\n")].decode("utf-8-sig", "replace").split(",")
    if len({name.strip().lower() for name in names}) < len(names):
        raise RecordingError(f"{path}: two columns have the same name")
    numbers = {name: np.float64 for name in names if name.strip().lower() in NUMBERS}
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if b'"' in head else csv.QUOTE_NONE
    kinds: tuple[Any, Any] = ({**dict.fromkeys(names, str), **numbers}, dict.fromkeys(names, str))
    for types in kinds:
        try:
            frame = pd.read_csv(
                io.BytesIO(content),
                dtype=types,
                keep_default_na=False,
                skip_blank_lines=False,
                encoding="utf-8-sig",
                encoding_errors="replace",
                quoting=quoting,
            )
        except pd.errors.ParserError:
            return None
        except pd.errors.EmptyDataError:
            raise RecordingError(f"{path}: it is empty") from None
        except ValueError:
            continue
        return frame if isinstance(frame.index, pd.RangeIndex) else None
    raise RecordingError(f"{path}: it is no CSV file that can be read")


def _without_surplus(content: bytes) -> tuple[bytes, Sequence[int]]:
    """Blank out lines with more fields than the header; return their numbers below it too."""
    header, *lines = content.split(b"\n")
    most = header.count(b",")
    surplus = [number for number, line in enumerate(lines) if line.count(b",") > most]
    for number in surplus:
        lines[number] = b""
    return b"\n".join([header, *lines]), surplus
