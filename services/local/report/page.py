"""The books as one offline HTML page with charts."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from xml.etree.ElementTree import Element

from libs.market.rupees import grouped, rupees
from libs.runtime.elements import made
from services.local.backtest.report.page import page_of
from services.local.backtest.report.tables import number, sign, table
from services.local.report import said
from services.local.report.books import Books
from services.local.report.charts import GROUP_CHARTS, charts_of
from services.position.domain.contract_note import ContractNote
from services.position.domain.results import GROUPS, Results, grouped_results, results_of
from services.position.domain.trades import Trade

MOST_TRADES = 500
_CHARTS = {
    "day": "Which days pay?",
    "hour": "Which hours of entry pay?",
    "strategy": "Which strategies pay?",
    "underlying": "Which underlyings pay?",
    "profile": "Which profiles pay?",
    "reason": "Which exits pay?",
    "charges": "What do charges consist of?",
}
_TRADE_HEADS = (
    *("entered", "contract", "strategy", "lots", "in ₹", "out ₹", "exit by", "net ₹", "charges ₹"),
    *("slippage ₹", "best", "worst", "held", "profile"),
)


def page(books: Books) -> str:
    """Return the page; the same books give the same bytes."""
    charts = charts_of(books)
    return page_of(f"Report of {books.period}", _sections(books, charts), {"charts": charts})


def _sections(books: Books, charts: Iterable[str]) -> Iterator[Element]:
    yield _head(books)
    if books.closed:
        yield _section("Net: does it rise steadily?", _chart("running"))
    figures = [
        made("figure", made("figcaption", title), _chart(key))
        for key, title in _CHARTS.items()
        if key in charts
    ]
    if figures:
        yield _section(
            "Where gains, losses and costs come from", made("div", *figures, class_="grid")
        )
    if books.closed:
        yield _section("Results of closed positions", _results(books), _meanings())
    if books.closed or books.open:
        yield _trades(books)
    if books.notes:
        yield _charges(books)
    if books.days:
        yield _section("Days", _days(books))


def _head(books: Books) -> Element:
    doubts = [made("li", one) for one in books.doubts]
    beware = made("div", made("b", "Beware"), made("ul", *doubts), class_="beware")
    tiles = [made("div", made("b", text), made("span", name)) for name, text in _tiles(books)]
    return made(
        "header",
        made("h1", "Report of ", made("em", str(books.period))),
        made("p", said.headline(books), class_=f"outcome {sign(float(books.net))}".strip()),
        *([made("div", *tiles, class_="tiles")] if tiles else []),
        *([beware] if doubts else []),
        *(made("p", one, class_="small") for one in said.remarks(books)),
    )


def _tiles(books: Books) -> Iterator[tuple[str, str]]:
    if books.is_empty:
        return
    results = results_of(books.closed)
    yield "after charges", rupees(books.net)
    yield "realised before them", rupees(books.realised)
    yield "charges", rupees(books.charges)
    yield "closed", grouped(results.trades)
    yield "won", said.percent(results.win_rate)
    yield "profit factor", said.ratio(results.profit_factor)
    yield "drawdown", rupees(results.drawdown)
    yield "slippage", said.money(results.slippage)
    if books.open:
        yield "open, not realised", rupees(books.unrealised)


def _results(books: Books) -> Element:
    rows = [_result("all", results_of(books.closed))]
    for name, title in GROUP_CHARTS.items():
        groups = grouped_results(books.closed, GROUPS[name])
        if len(groups) < 2:
            continue
        heading = made("th", f"by {title}", scope="rowgroup", colspan=str(len(said.FIGURES) + 1))
        rows.append(made("tr", heading))
        rows += [
            _result(said.exit_words(group) if name == "reason" else group, one)
            for group, one in groups.items()
        ]
    return table(("of", *(one.name for one in said.FIGURES)), rows)


def _result(name: str, results: Results) -> Element:
    cells = [number(one.text(results)) for one in said.FIGURES]
    return made("tr", made("td", name), *cells)


def _meanings() -> Element:
    told = [made("li", made("b", one.name), f": {one.meaning}") for one in said.FIGURES]
    return made("details", made("summary", "What the figures mean"), made("ul", *told))


def _trades(books: Books) -> Element:
    trades = (*books.closed, *books.open)
    count, listed = len(trades), trades[-MOST_TRADES:]
    all_or_last = "all" if len(listed) == count else "the last"
    return _section(
        f"Trades ({all_or_last} {grouped(len(listed))})",
        made(
            "p",
            "A click on a heading sorts. Best and worst: MFE and MAE. Open ones at the last price.",
            class_="small",
        ),
        table(_TRADE_HEADS, map(_trade, listed), class_="trades sortable"),
    )


def _trade(one: Trade) -> Element:
    result = one.net + (one.unrealised if one.is_open else 0)
    return made(
        "tr",
        made("td", said.when(one), class_="t", data_sort=str(one.opened_at.timestamp())),
        made("td", one.tradingsymbol),
        made("td", one.strategy),
        number(said.lots(one), one.lots or 0),
        number(_amount(one.entry_price), one.entry_price),
        number(_amount(one.exit_price), one.exit_price or 0),
        made("td", said.reason(one), class_="t"),
        number(_amount(result), result, sign(float(result))),
        number(_amount(one.charges), one.charges),
        number(_amount(one.slippage), one.slippage or 0),
        number(said.excursion(one, one.favourable), one.favourable or 0),
        number(said.excursion(one, one.adverse), one.adverse or 0),
        number(said.held_for(one.seconds), one.seconds or 0),
        made("td", one.profile),
    )


def _charges(books: Books) -> Element:
    heads = ("day", "mode", "orders", *said.LINES.values(), "rounding", "total ₹")
    return _section(
        "Charges as on the contract notes",
        table(heads, map(_note, books.notes)),
        made("p", "The lines hold the rounding of the day already.", class_="small"),
    )


def _note(note: ContractNote) -> Element:
    amounts = [number(_amount(amount)) for _, amount in note.lines.named()]
    return made(
        "tr",
        made("td", str(note.day), class_="t"),
        made("td", note.mode),
        number(grouped(len(note.orders))),
        *amounts,
        number(_amount(note.rounding.total)),
        number(_amount(note.total)),
    )


def _days(books: Books) -> Element:
    rows = [
        made(
            "tr",
            made("td", str(one.day), class_="t"),
            number(_amount(one.realised)),
            number(_amount(one.charges)),
            number(_amount(one.net), one.net, sign(float(one.net))),
        )
        for one in books.days
    ]
    return table(("day", "realised ₹", "charges ₹", "net ₹"), rows)


def _amount(amount: Decimal | None) -> str:
    return said.money(amount).replace("₹", "")


def _chart(key: str) -> Element:
    return made("div", id=key, class_="chart")


def _section(title: str, *content: Element) -> Element:
    return made("section", made("h2", title), *content)
