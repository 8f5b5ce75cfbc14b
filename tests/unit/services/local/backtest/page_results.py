"""The results on the pages of the built-in strategies.

`python -m tests.unit.services.local.backtest.page_results FOLDER` writes them anew from a folder of
recorded candles.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from libs.market.rupees import rupees
from libs.strategy.strategy import Strategy
from services.local.backtest.candles.files import read_candles
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.result import BacktestRequest
from services.local.backtest.run import run_backtest
from services.strategy.domain.strategies import BUILT_IN
from services.strategy.finding import known_strategies

PAGES = Path(__file__).parents[5] / "docs" / "strategies"
HEAD = (
    "| instrument | signals | trades | won | before charges ₹ | charges ₹ | after charges ₹ |"
    " return | deepest drawdown |\n|---|---|---|---|---|---|---|---|---|"
)
TABLE = re.compile(re.escape(HEAD) + r"\n(?:\|.*\n)*")


def table_of(strategy: type[Strategy], histories: Sequence[CandleHistory]) -> str:
    """Return the table of a strategy with its defaults, each instrument with its own capital."""
    return "\n".join((HEAD, *(_row(strategy, one) for one in histories))) + "\n"


def _row(strategy: type[Strategy], history: CandleHistory) -> str:
    result = run_backtest(BacktestRequest(strategy.name), [history], known_strategies())
    trades = result.trades
    gross, charges = sum(one.gross for one in trades), sum(one.charges for one in trades)
    amounts = (gross, charges, gross - charges)
    won = f"{sum(one.net > 0 for one in trades) / len(trades):.0%}" if trades else "–"
    cells = (
        history.tradingsymbol,
        str(len(result.signals)),
        str(len(trades)),
        won,
        *(rupees(one, paise=False).replace("₹", "") for one in amounts),
        f"{(gross - charges) / result.request.capital:.1%}",
        f"{max(result.equity.drawdown, default=0.0):.1%}",
    )
    return f"| {' | '.join(cells)} |"


def tables_on(page: Path) -> Iterator[str]:
    """Return the tables of results on a page."""
    return (found[0] for found in TABLE.finditer(page.read_text()))


def main() -> None:
    """Write the tables anew."""
    histories = read_candles([Path(sys.argv[1])])
    for strategy in BUILT_IN:
        page = PAGES / f"{strategy.name}.md"
        page.write_text(TABLE.sub(table_of(strategy, histories), page.read_text()))


if __name__ == "__main__":
    main()
