"""When a bought option is sold, and at which price: a walk along its bid.

Each candle of the underlying has four points: its open, the extreme against the trade, the extreme
for it, and its close. The stop therefore comes before the target where a candle reaches both.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from libs.market.arrays import BoolArray, IntArray
from services.local.backtest.candles.history import Days
from services.local.backtest.trade import ExitReason


@dataclass(frozen=True, slots=True)
class Path:
    """The bid in ticks at times (epoch ms) in order.

    `is_quote`: a price at which the option can be sold just then; else one that the bid reached
    on its way, past the levels in between. `is_close`: by it an open trade is marked. `day` is the
    trading day.
    """

    at_ms: IntArray
    bid: IntArray
    is_quote: BoolArray
    is_close: BoolArray
    day: Days


class Due(NamedTuple):
    """A time (epoch ms) of a trading day at which the option is sold, whatever its price."""

    at_ms: int
    day: np.datetime64
    reason: ExitReason


class Exit(NamedTuple):
    """A sale: its point on the path, price in ticks, and the bid's extremes until then."""

    point: int
    bid: int
    reason: ExitReason
    lowest: int
    highest: int


class Stops(NamedTuple):
    """The stop at each point of a path, in ticks, and its name."""

    level: IntArray
    reason: Sequence[ExitReason]


def exit_of(
    path: Path,
    stop_loss: int,
    target: int,
    dues: Sequence[Due],
    lifted: Callable[[IntArray], Stops] | None = None,
) -> Exit:
    """Return the first exit: a level in ticks, what is due, or the end of the path.

    Where several hold at one point the level comes first, then what is due in its order. `lifted`
    gives the stops of a position whose stop moves, by its bids.
    """
    last, reason = _first_due(path, dues)
    bid = path.bid[: last + 1]
    stops = None if lifted is None else lifted(bid)
    stop_at = stop_loss if stops is None else stops.level
    hit = np.flatnonzero((bid <= stop_at) | (bid >= target))
    if not hit.size:
        return _exit(path, last, int(bid[last]), reason)
    point = int(hit[0])
    stop = stop_loss if stops is None else int(stops.level[point])
    is_stop = bool(bid[point] <= stop)
    sold_at = int(bid[point]) if path.is_quote[point] else stop if is_stop else target
    name: ExitReason = "stop_loss" if stops is None else stops.reason[point]
    return _exit(path, point, sold_at, name if is_stop else "target")


def _exit(path: Path, point: int, bid: int, reason: ExitReason) -> Exit:
    before = path.bid[:point]
    lowest = int(before.min(initial=bid))
    return Exit(point, bid, reason, lowest, int(before.max(initial=bid)))


def _first_due(path: Path, dues: Sequence[Due]) -> tuple[int, ExitReason]:
    end: tuple[int, ExitReason] = (len(path.at_ms) - 1, "end_of_data")
    places = (*(_place(path, due) for due in dues), end)
    return min(places, key=lambda place: (place[0], place[1] == "end_of_data"))


def _place(path: Path, due: Due) -> tuple[int, ExitReason]:
    """Return the first quote of the day from the time on, else the last point before it.

    Where the prices of the day end before the time, the end of the data is the reason.
    """
    later = np.flatnonzero(path.is_quote & (path.at_ms >= due.at_ms))
    if later.size and path.day[later[0]] == due.day:
        return int(later[0]), due.reason
    last = (int(later[0]) if later.size else len(path.at_ms)) - 1
    return last, due.reason if path.at_ms[last] >= due.at_ms else "end_of_data"
