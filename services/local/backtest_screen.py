"""Prints what a backtest came to, instrument by instrument, and what to do next."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from libs.market.rupees import grouped, rupees
from services.local import screen
from services.local.backtest.result import BacktestResult
from services.local.backtest.trade import Trade

_WHY = {
    "no_candle_after": "no candle followed",
    "too_late": "after the last entry of the day",
    "position_open": "a position was open",
    "level_passed": "the next open was past stop or target",
    "too_small": "the capital was too small for one unit",
}
"""Why a signal was not traded, in words."""


def show_result(result: BacktestResult, summary: Mapping[str, Any], out: Path) -> None:
    """Print warnings, the table of instruments, why signals were not traded, and the path."""
    for warning in result.warnings:
        screen.notify(f"warning: {warning}")
    screen.console.print(_table(result, summary))
    if result.untraded:
        words = {why: _WHY.get(why, why.replace("_", " ")) for why in result.untraded}
        said = [f"{grouped(count)} {words[why]}" for why, count in result.untraded.items()]
        screen.console.print(f"Not traded: {', '.join(said)}", soft_wrap=True)
    screen.console.print(f"sha256 {summary['sha256']}")
    screen.console.print(f"The whole outcome is in {out}/; open {out}/report.html")


def _table(result: BacktestResult, summary: Mapping[str, Any]) -> Table:
    days = f"{summary['first_day']} to {summary['last_day']}"
    title = f"{result.request.strategy}, {summary['interval']} candles, {days}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("instrument", no_wrap=True)
    for column in ("signals", "trades", "won", "net ₹", "charges ₹", "of gross"):
        table.add_column(column, justify="right", no_wrap=True)
    for history in result.histories:
        mine = [trade for trade in result.trades if trade.instrument == history.key]
        signals = sum(
            (one.exchange, one.tradingsymbol) == (history.exchange, history.tradingsymbol)
            for one in result.signals
        )
        table.add_row(history.key, grouped(signals), *_figures(mine))
    table.add_section()
    table.add_row("all", grouped(len(result.signals)), *_figures(result.trades))
    drawdown = float(result.equity.drawdown.max())
    returned = sum((one.net for one in result.trades), Decimal(0)) / result.request.capital
    table.caption = (
        f"{rupees(result.request.capital, paise=False)}: return {_percent(returned)}, "
        f"deepest drawdown {_percent(drawdown)}; net after charges"
    )
    table.caption_justify = "left"
    return table


def _figures(trades: Sequence[Trade]) -> tuple[str, ...]:
    """Return trades, win rate, net, charges, and their share of all that was won and lost."""
    net = sum((trade.net for trade in trades), Decimal(0))
    charges = sum((trade.charges for trade in trades), Decimal(0))
    gross = sum((abs(trade.gross) for trade in trades), Decimal(0))
    won = sum(trade.net > 0 for trade in trades)
    return (
        grouped(len(trades)),
        _percent(won / len(trades)) if trades else "",
        rupees(net, paise=False).replace("₹", ""),
        rupees(charges, paise=False).replace("₹", ""),
        _percent(charges / gross) if gross else "",
    )


def _percent(fraction: Decimal | float) -> str:
    return f"{float(fraction) * 100:.1f} %"
