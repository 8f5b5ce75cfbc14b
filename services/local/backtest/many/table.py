"""A ranking as rows: for the screen, and for ranking.csv."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from services.local.backtest.many.ranking import Ranking, rank
from services.local.backtest.many.runs import Done
from services.local.play.outcome import csv_text

COLUMNS = (
    *("rank", "strategy", "parameters", "signals", "trades", "win_rate", "net", "charges"),
    *("sharpe_in_sample", "sharpe_out_of_sample"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """One backtest's place in a ranking; `win_rate` is a fraction, None without a trade."""

    rank: int
    strategy: str
    parameters: str
    signals: int
    trades: int
    win_rate: float | None
    net: Decimal
    charges: Decimal
    inside: float | None
    outside: float | None


def ranked(done: Sequence[Done]) -> tuple[Ranking, tuple[Place, ...]]:
    """Rank backtests of the same days; only the parameters that differ are named."""
    returns = np.array([one.daily for one in done], float).T
    ranking = rank(returns, [one.trades for one in done])
    varied = _varied(done)
    places = [
        _place(number, done[column], ranking, column, varied)
        for number, column in enumerate(ranking.order, 1)
    ]
    return ranking, tuple(places)


def table_of(places: Sequence[Place]) -> str:
    """Return all places as CSV text; an undefined figure is empty."""
    return csv_text(COLUMNS, map(_cells, places))


def _cells(one: Place) -> Iterator[Any]:
    yield from (one.rank, one.strategy, one.parameters, one.signals, one.trades)
    yield "" if one.win_rate is None else f"{one.win_rate:.4f}"
    yield from (one.net, one.charges)
    for ratio in (one.inside, one.outside):
        yield "" if ratio is None else f"{ratio:.4f}"


def _varied(done: Sequence[Done]) -> frozenset[str]:
    """Return the parameters that are not the same in all backtests."""
    names = {name for one in done for name in one.parameters}
    return frozenset(
        name for name in names if len({repr(one.parameters.get(name)) for one in done}) > 1
    )


def _place(number: int, one: Done, ranking: Ranking, column: int, varied: frozenset[str]) -> Place:
    shown = [f"{name}={value}" for name, value in one.parameters.items() if name in varied]
    inside, outside = float(ranking.inside[column]), float(ranking.outside[column])
    return Place(
        rank=number,
        strategy=one.strategy,
        parameters=" ".join(shown),
        signals=one.signals,
        trades=one.trades,
        win_rate=one.won / one.trades if one.trades else None,
        net=Decimal(one.net),
        charges=Decimal(one.charges),
        inside=inside if np.isfinite(inside) else None,
        outside=outside if np.isfinite(outside) else None,
    )
