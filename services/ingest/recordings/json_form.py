"""Reader of Kite's callbacks: a line of JSON for each, a list of ticks or one tick."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from services.ingest.recordings.errors import RecordingError
from services.ingest.recordings.table import Table
from services.ingest.recordings.ticks import LeftOut

_SIDES = (("buy", "bid"), ("sell", "ask"))


def read_json_lines(path: Path, content: bytes) -> Table:
    """Read a line a callback, old field names and new ones; what is no tick is left out."""
    left_out = LeftOut()
    numbers: list[int] = []
    rows: list[Mapping[str, Any]] = []
    for number, line in enumerate(content.decode("utf-8-sig", "replace").splitlines()):
        for tick in _ticks(line):
            if isinstance(tick, dict):
                numbers.append(number)
                rows.append(_flat(tick))
            else:
                said = f"{path}: line {number + 1}: {_wrong(tick)}"
                left_out.add("unreadable", 1, said)
    if not rows:
        first = next(iter(left_out.first.values()), f"{path}: it is empty")
        raise RecordingError(first)
    frame = pd.DataFrame(rows, index=pd.Index(numbers))
    return Table(path, frame, first_row=1, left_out=left_out)


def _ticks(line: str) -> Iterator[object]:
    if not line.strip():
        return
    try:
        read = json.loads(line)
    except ValueError as error:
        yield error
        return
    if isinstance(read, list):
        yield from read
    else:
        yield read


def _wrong(tick: object) -> str:
    if isinstance(tick, ValueError):
        return f"no JSON that can be read: {tick}"
    return f"no tick: {str(tick)[:40]!r}"


def _flat(tick: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tick's values without what is nested: of the depth the best bid and ask."""
    flat = {name: value for name, value in tick.items() if not isinstance(value, dict | list)}
    ohlc, depth = tick.get("ohlc"), tick.get("depth")
    if isinstance(ohlc, dict):
        flat["ohlc.open"] = ohlc.get("open")
    for side, name in _SIDES:
        best = _best(depth, side)
        if best:
            flat |= {f"{name}_price": best.get("price"), f"{name}_quantity": best.get("quantity")}
    return flat


def _best(depth: object, side: str) -> Mapping[str, Any]:
    levels = depth.get(side) if isinstance(depth, dict) else None
    best = levels[0] if isinstance(levels, list) and levels else None
    return best if isinstance(best, dict) else {}
