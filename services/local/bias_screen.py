"""Checks a strategy for bias on each instrument, and prints what was found."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table

from libs.events.event import utc_from_ms
from libs.events.signals import StrategySignal
from libs.market.calendar import IST
from libs.strategy.strategy import Strategy
from services.local import screen
from services.local.backtest.bias import Bias, look_ahead, warm_up
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.candles.longer import longer
from services.local.backtest.signals import signals_on


def check_bias(strategy: Strategy, histories: Sequence[CandleHistory]) -> bool:
    """Print each bias; return whether signals are free of any. A drift alone is only said."""
    found = [bias for history in histories for bias in _found(strategy, history)]
    if found:
        screen.console.print(_table(found))
    if any(one.kind == "look-ahead" for one in found):
        screen.notify("signals change with later candles: the strategy knows the future")
    if any(one.kind == "warm-up" for one in found):
        screen.notify(
            f"signals depend on where history begins: {strategy.history_needed} candles are too "
            "few for it; raise history_needed"
        )
    if not found:
        screen.console.print("No bias: signals change neither with later nor with fewer candles.")
    return all(one.kind == "drift" for one in found)


def _found(strategy: Strategy, history: CandleHistory) -> Iterator[Bias]:
    own = longer(history, strategy.interval)

    def signals(part: CandleHistory) -> Sequence[StrategySignal]:
        if len(part) <= strategy.history_needed:
            return ()
        return signals_on(strategy.anew(), part).signals

    bias = look_ahead(own, signals)
    if bias is not None:
        yield bias
    yield from warm_up(own, signals, strategy.history_needed)


def _table(found: Sequence[Bias]) -> Table:
    table = Table(title="Bias", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("kind", "instrument", "first candle", "what"):
        table.add_column(column, overflow="fold")
    for one in found:
        at = utc_from_ms(one.opened_ms).astimezone(IST)
        table.add_row(one.kind, one.instrument, f"{at:%Y-%m-%d %H:%M}", one.what)
    return table
