"""The tables of the report."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from xml.etree.ElementTree import Element

import numpy as np

from libs.market.calendar import IST_OFFSET_MS
from libs.market.rupees import grouped, rupees
from libs.runtime.elements import made
from services.local.backtest.report.charts.price import reason_in_words
from services.local.backtest.report.measure_words import said_of
from services.local.backtest.report.times import duration, india
from services.local.backtest.result import BacktestResult, Equity
from services.local.backtest.trade import Trade

MOST_TRADES = 500
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
Month = tuple[int, int]


def measures_table(result: BacktestResult) -> Element:
    """Return each measure with what it means."""
    rows = [
        made("tr", made("th", one.name, scope="row"), number(one.value), made("td", one.meaning))
        for one in said_of(result.measures)
    ]
    return table(("measure", "value", "meaning"), rows, class_="measures")


def monthly_returns(equity: Equity, capital: float) -> dict[Month, float]:
    """Return each month's change of the equity as a fraction of the capital; so they add up."""
    months = (equity.at_ms + IST_OFFSET_MS).astype("datetime64[ms]").astype("datetime64[M]")
    last = np.flatnonzero(np.r_[months[1:] != months[:-1], [True] * bool(len(months))])
    changes = np.diff(np.r_[capital, equity.rupees[last]]) / capital
    names = [one.item() for one in months[last]]
    return {
        (one.year, one.month): value for one, value in zip(names, changes.tolist(), strict=True)
    }


def monthly_table(equity: Equity, capital: float) -> Element:
    """Return a row per year: its months and their sum, in percent of the capital."""
    returns = monthly_returns(equity, capital)
    by_year: defaultdict[int, dict[int, float]] = defaultdict(dict)
    for (year, month), value in returns.items():
        by_year[year][month] = value
    largest = max((abs(value) for value in returns.values()), default=0.0)
    rows = [_year(year, months, largest, capital) for year, months in by_year.items()]
    return table(("year", *MONTHS, "sum"), rows, class_="months")


def _year(year: int, months: Mapping[int, float], largest: float, capital: float) -> Element:
    cells = [_month(months.get(month), largest, capital) for month in range(1, 13)]
    total = sum(months.values())
    whole = made(
        "td", f"{total:+.2%}", class_=f"n sum {sign(total)}", title=rupees(total * capital)
    )
    return made("tr", made("th", str(year), scope="row"), *cells, whole)


def _month(value: float | None, largest: float, capital: float) -> Element:
    if value is None:
        return made("td", "")
    depth = round(100 * abs(value) / largest) if largest else 0
    return made(
        "td",
        f"{value:+.2%}",
        class_=f"n {sign(value)}",
        style=f"--depth: {depth}%",
        title=rupees(value * capital),
    )


def sign(value: float) -> str:
    """Return the class of a figure's colour; the text has its sign besides."""
    return "gain" if value > 0 else "loss" if value < 0 else ""


def trades_table(
    trades: Sequence[Trade], has_close_up: Sequence[bool], in_contracts: bool
) -> Element:
    """Return a row per trade, with its contract if it is in one; the net is the last column.

    The page's script sorts them, and shows the candles of one that is chosen.
    """
    rows = [
        _trade(index, trade, shown, in_contracts)
        for index, (trade, shown) in enumerate(zip(trades, has_close_up, strict=True))
    ]
    heads = (
        *("entered", "exited", "instrument", "signal"),
        *(["contract"] if in_contracts else []),
        *("quantity", "in ₹", "out ₹", "exit by", "time", "charges ₹", "net ₹"),
    )
    return table(heads, rows, class_="trades sortable")


def _trade(index: int, trade: Trade, has_close_up: bool, in_contracts: bool) -> Element:
    chosen = {"data_trade": str(index), "tabindex": "0"} if has_close_up else {}
    return made("tr", *_trade_cells(trade, in_contracts), **chosen)


def _trade_cells(trade: Trade, in_contracts: bool) -> Iterator[Element]:
    yield _time(trade.entered_ms)
    yield _time(trade.exited_ms)
    yield made("td", trade.instrument)
    yield made("td", trade.action)
    if in_contracts:
        yield made("td", trade.tradingsymbol)
    yield number(grouped(trade.quantity), trade.quantity)
    yield number(_price(trade.entry_price), trade.entry_price)
    yield number(_price(trade.exit_price), trade.exit_price)
    yield made("td", reason_in_words(trade), class_="t")
    seconds = (trade.exited_ms - trade.entered_ms) / 1000
    yield number(duration(seconds), seconds)
    yield number(_price(trade.charges), trade.charges)
    yield number(_price(trade.net), trade.net, sign(float(trade.net)))


def _price(amount: Decimal) -> str:
    return rupees(amount).replace("₹", "")


def _time(at_ms: int) -> Element:
    return made("td", f"{india(at_ms):%d %b %y %H:%M}", data_sort=str(at_ms), class_="t")


def number(text: str, sort: object = "", colour: str = "") -> Element:
    """Return a cell with a number; `sort` is what a click on its heading sorts by."""
    return made("td", text, class_=f"n {colour}".strip(), data_sort=str(sort))


def table(heads: Iterable[str], rows: Iterable[Element], **attributes: str) -> Element:
    """Return a table that scrolls by itself where it is too wide."""
    head = made("tr", *(made("th", one, scope="col") for one in heads))
    table = made("table", made("thead", head), made("tbody", *rows), **attributes)
    return made("div", table, class_="wide")
