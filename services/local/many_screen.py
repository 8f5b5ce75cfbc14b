"""Runs many backtests with a progress bar, ranks them, and prints the best."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table

from libs.market.rupees import grouped, rupees
from services.local import screen
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.files import write_out
from services.local.backtest.many.ranking import Ranking
from services.local.backtest.many.runs import Asked, Done, run_many
from services.local.backtest.many.table import Place, ranked, table_of
from services.local.backtest.result import BacktestRequest
from services.local.backtest.trading import Trader

SHOWN = 20
RANKING = "ranking.csv"


def run_and_rank(
    request: BacktestRequest,
    asked: Sequence[Asked],
    histories: Sequence[CandleHistory],
    folder: Path | None,
    out: Path,
    *,
    trader: Trader,
    is_resumed: bool,
) -> tuple[Place, ...]:
    """Run all, write ranking.csv, and print the best; return all places, the best first."""
    with screen.counted_progress("backtests", len(asked)) as on_done:
        done = run_many(
            request,
            asked,
            histories,
            folder,
            out,
            trader=trader,
            is_resumed=is_resumed,
            on_done=on_done,
        )
    ranking, places = ranked(done)
    write_out(out, {RANKING: table_of(places)})
    _show(ranking, places, done, out)
    return places


def _show(ranking: Ranking, places: Sequence[Place], done: Sequence[Done], out: Path) -> None:
    screen.console.print(_table(places, len(done)))
    for warning in ranking.warnings:
        screen.notify(f"warning: {warning}")
    best = places[0]
    words = "".join(f" --param {word}" for word in best.parameters.split())
    screen.console.print(f"All of them are in {out / RANKING}.")
    screen.console.print(
        f"The best alone, with a report: alphastocks backtest --strategy {best.strategy}{words} …",
        soft_wrap=True,
    )


def _table(places: Sequence[Place], count: int) -> Table:
    title = f"The best of {grouped(count)}, by Sharpe ratio"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("#", "strategy", "parameters"):
        table.add_column(column, overflow="fold")
    for column in ("trades", "won", "net ₹", "Sharpe before", "Sharpe after"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in places[:SHOWN]:
        won = "" if one.win_rate is None else f"{one.win_rate:.1%}"
        net = rupees(one.net, paise=False).replace("₹", "")
        ratios = (_ratio(one.inside), _ratio(one.outside))
        row = (str(one.rank), one.strategy, one.parameters, grouped(one.trades), won, net)
        table.add_row(*row, *ratios)
    table.caption = "before: mean on the days to choose on; after: on the days that follow them"
    table.caption_justify = "left"
    return table


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
