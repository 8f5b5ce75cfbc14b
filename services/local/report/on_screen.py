"""The books on the terminal."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table

from libs.market.rupees import rupees
from services.local.report import said
from services.local.report.books import Books, Day
from services.local.report.charts import GROUP_CHARTS
from services.position.domain.contract_note import ContractNote
from services.position.domain.results import GROUPS, Results, grouped_results, results_of
from services.position.domain.trades import Trade

MOST_TRADES = 50


def shown(books: Books) -> Iterator[RenderableType]:
    """Yield what the terminal shows, from the headline to the charges."""
    yield said.headline(books)
    yield from (f"Beware: {one}" for one in books.doubts)
    if books.is_empty:
        return
    yield from _trades(books)
    if len(books.days) > 1:
        yield _days(books)
    if books.closed:
        yield _results(books)
    if books.notes:
        yield _charges(books)
    yield from said.remarks(books)


def _trades(books: Books) -> Iterator[RenderableType]:
    trades = (*books.closed, *books.open)
    if not trades:
        return
    table = _table("Trades", "entered\nexit by", "contract\nstrategy")
    for column in ("lots\nheld", "in ₹\nout ₹", "charges ₹\nslippage ₹", "best\nworst", "net ₹"):
        table.add_column(column, justify="right")
    for trade in trades[-MOST_TRADES:]:
        table.add_row(*_trade(trade))
    yield table
    if len(trades) > MOST_TRADES:
        yield f"The last {MOST_TRADES} of {len(trades)} are listed; --html shows more."


def _trade(trade: Trade) -> tuple[str, ...]:
    out = said.money(trade.exit_price)
    net = rupees(trade.net)
    if trade.is_open:
        net += f"\n{rupees(trade.unrealised)} open"
    return (
        f"{said.when(trade)}\n{said.reason(trade)}",
        f"{trade.tradingsymbol}\n{trade.strategy}",
        f"{said.lots(trade)}\n{said.held_for(trade.seconds)}",
        f"{rupees(trade.entry_price)}\n{out}",
        f"{rupees(trade.charges)}\n{said.money(trade.slippage)}",
        f"{said.excursion(trade, trade.favourable)}\n{said.excursion(trade, trade.adverse)}",
        net,
    )


def _days(books: Books) -> Table:
    table = _table("Days", "day")
    for column in ("realised ₹", "charges ₹", "net ₹"):
        table.add_column(column, justify="right")
    for day in books.days:
        table.add_row(*_day(day))
    return table


def _day(day: Day) -> tuple[str, ...]:
    return str(day.day), rupees(day.realised), rupees(day.charges), rupees(day.net)


def _results(books: Books) -> Table:
    table = _table("Results of closed positions", "of")
    for figure in said.FIGURES:
        table.add_column(figure.name, justify="right")
    table.add_row("all", *_texts(results_of(books.closed)))
    for name, title in GROUP_CHARTS.items():
        groups = grouped_results(books.closed, GROUPS[name])
        if len(groups) < 2:
            continue
        table.add_section()
        table.add_row(f"by {title}")
        for group, results in groups.items():
            shown_as = said.exit_words(group) if name == "reason" else group
            table.add_row(f"  {shown_as}", *_texts(results))
    return table


def _texts(results: Results) -> Iterator[str]:
    return (figure.text(results) for figure in said.FIGURES)


def _charges(books: Books) -> Table:
    table = _table("Charges as on the contract notes", "day")
    for name in (*said.LINES.values(), "total ₹"):
        table.add_column(name, justify="right")
    for note in books.notes:
        table.add_row(*_note(note))
    return table


def _note(note: ContractNote) -> tuple[str, ...]:
    amounts = [rupees(amount).replace("₹", "") for _, amount in note.lines.named()]
    orders = said.counted(len(note.orders), "order")
    rounding = rupees(note.rounding.total)
    return (f"{note.day} {note.mode}\n{orders}, rounding {rounding}", *amounts, rupees(note.total))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
