"""The sections of the page, from its head to its foot."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from libs.market.rupees import grouped
from libs.runtime.elements import Content, made
from libs.runtime.version import VERSION
from services.local.backtest.report import tables, words
from services.local.backtest.report.charts import price
from services.local.backtest.report.charts.closeup import CloseUps
from services.local.backtest.report.measure_words import in_short
from services.local.backtest.result import BacktestResult
from services.local.backtest.trade import Trade

MEGABYTE = 1_000_000
_TILES = (
    ("net", "after charges"),
    ("return", "return"),
    ("max_drawdown", "maximum drawdown"),
    ("trades", "trades"),
    ("win_rate", "won"),
    ("profit_factor", "profit factor"),
    ("sharpe", "Sharpe ratio"),
    ("charges", "charges"),
)


def sections(result: BacktestResult, listed: Sequence[Trade], near: CloseUps) -> list[Element]:
    """Return all sections but the foot; `listed` are the trades of the table."""
    made_of = [_head(result), _equity(), _price(result)]
    if result.trades:
        made_of += [_close_up(), _months(result), _groups(result)]
    made_of.append(_section("The measures, one by one", tables.measures_table(result)))
    if result.trades:
        made_of.append(_trades(result, listed, near))
    return made_of


def _head(result: BacktestResult) -> Element:
    warnings = [made("li", one) for one in words.warnings(result)]
    tiles = [
        made("div", made("b", in_short(key, result.measures[key])), made("span", name))
        for key, name in _TILES
    ]
    return made(
        "header",
        made("h1", "Backtest of ", made("em", result.request.strategy)),
        made("p", words.subject(result), " ", words.parameters(result)),
        made("p", words.outcome(result), class_=f"outcome {_sign(result)}".strip()),
        made("div", *tiles, class_="tiles"),
        *(
            [made("div", made("b", "Beware"), made("ul", *warnings), class_="beware")]
            * bool(warnings)
        ),
        made("p", words.trading(result), class_="small"),
        made("p", words.PAST, class_="small"),
    )


def _sign(result: BacktestResult) -> str:
    return tables.sign(result.measures["net"] or 0)


def _equity() -> Element:
    return _section(
        "Equity: does it rise steadily, and how deep are the falls?",
        _chart("equity"),
        made(
            "p",
            "The dotted line is the capital. Open trades count at each candle's close.",
            class_="small",
        ),
    )


def _price(result: BacktestResult) -> Element:
    options = [made("option", one.key, value=one.key) for one in result.histories]
    label = made("label", "Instrument ", made("select", *options, id="instrument"))
    several = [label] if len(options) > 1 else []
    return _section(
        "Price: where were trades entered and left?",
        *several,
        _chart("price"),
        made("p", _price_note(result), class_="small"),
    )


def _price_note(result: BacktestResult) -> str:
    count = len(result.histories)
    points, most = price.most_points(count), price.drawn_trades
    said = "Point at a marker for its reason; drag to look closer, double-click to go back."
    if any(len(one) > points and not price.is_in_candles(one) for one in result.histories):
        said += f" Of the closes at most {grouped(points)} are drawn: the lowest and highest "
        said += "of each stretch."
    by_key = [
        [one for one in result.trades if one.instrument == each.key] for each in result.histories
    ]
    if any(len(most(one, count)) < len(one) for one in by_key):
        said += " Of the trades those with the largest gains and losses are drawn."
    if any(len(one) > price.FEW_TRADES for one in by_key):
        said += " A click on stop or target in the legend draws them."
    if result.request.trades_in == "options":
        said += " Trades in options are drawn at the price of what they are on."
    return said


def _close_up() -> Element:
    buttons = [
        made("button", "◀ earlier", id="earlier", type="button"),
        made("button", "later ▶", id="later", type="button"),
        made("button", "worst", id="worst", type="button"),
        made("button", "best", id="best", type="button"),
    ]
    return _section(
        "One trade: did it do what the rule is meant to do?",
        made("div", *buttons, made("span", "", id="which"), class_="bar"),
        _chart("closeup"),
        made(
            "p",
            "The candles around a trade of the table below: choose one here, or there.",
            class_="small",
        ),
        id="one",
    )


def _months(result: BacktestResult) -> Element:
    return _section(
        "Months: is it one lucky month, or many?",
        tables.monthly_table(result.equity, float(result.request.capital)),
        made(
            "p",
            "Change of the equity in percent of the capital, so the months of a year add up.",
            class_="small",
        ),
    )


def _groups(result: BacktestResult) -> Element:
    titles = {
        "distribution": "How large are gains and losses?",
        "hours": "Which hours of entry pay?",
        "weekdays": "Which weekdays pay?",
        "reasons": "Which exits pay?",
    }
    if len(result.histories) > 1:
        titles["instruments"] = "Which instruments pay?"
    charts = [
        made("figure", made("figcaption", title), _chart(key)) for key, title in titles.items()
    ]
    return _section(
        "Trades: where do gains and losses come from?", made("div", *charts, class_="grid")
    )


def _trades(result: BacktestResult, listed: Sequence[Trade], near: CloseUps) -> Element:
    count = len(result.trades)
    which = f"the first {grouped(len(listed))} of {grouped(count)}; trades.csv has all"
    shown = which if count > len(listed) else f"all {grouped(count)}"
    has_close_up = [one is not None for one in near.trades]
    return _section(
        f"Trades ({shown})",
        made(
            "p", "A click on a heading sorts; a click on a trade shows its candles.", class_="small"
        ),
        tables.trades_table(listed, has_close_up, result.request.trades_in == "options"),
    )


def foot(size: int) -> Element:
    """Return the foot, which says how large the file is, of so many bytes."""
    return made(
        "footer",
        made(
            "p",
            f"Times are India's. Made by AlphaStocks {VERSION}. "
            f"This file is {size / MEGABYTE:.1f} MB, "
            "nearly all of it the library that draws the charts, so it works without a network.",
        ),
    )


def _chart(key: str) -> Element:
    return made("div", id=key, class_="chart")


def _section(title: str, *content: Content, **attributes: str) -> Element:
    return made("section", made("h2", title), *content, **attributes)
