"""The report's page: what it says, and that it holds all that it needs."""

import json
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from html import unescape
from typing import Any

import plotly.graph_objects as go
import pytest

from services.local.backtest.report.measure_words import said_of
from services.local.backtest.report.page import report_of
from services.local.backtest.report.tables import monthly_returns
from services.local.backtest.result import BacktestResult
from tests.chromium import Addresses
from tests.unit.services.local.backtest.made_results import history, result

HOSTILE = "</script><script>alert('1')</script>"
DATA = re.compile(r'<script type="application/json" id="drawn">(.*?)</script>', re.DOTALL)


def drawn_in(page: str) -> dict[str, Any]:
    found = DATA.search(page)
    assert found
    drawn: dict[str, Any] = json.loads(found[1])
    return drawn


def text_of(page: str) -> str:
    """Return what a reader sees, without scripts and style."""
    bare = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", bare)).split())


def test_it_says_in_words_what_was_tested_and_what_came_of_it() -> None:
    made = result(("SBIN", "INFY"), days=20, trades=20, warnings=("2 days are short",))
    said = text_of(report_of(made))
    assert "SBIN, INFY: 1,000 candles of 15m, 01 Apr 2024 to 26 Apr 2024." in said
    assert "Parameters: fast = 9, slow = 21." in said
    assert "with ₹10,00,000: at most 2% of it at risk" in said
    assert "Beware 2 days are short" in said
    assert made.measures["net"] == pytest.approx(-4_129.0)
    assert "40 trades lost ₹4,129.00 after charges, 0.41% of the capital." in said
    assert "Past results do not tell" in said


def test_it_names_every_measure_with_its_meaning() -> None:
    made = result(trades=5)
    said = list(said_of(made.measures))
    assert len(said) == len(made.measures)
    assert all(one.meaning for one in said)
    text = text_of(report_of(made))
    assert [one.name for one in said if one.meaning not in text] == []


def test_the_same_result_gives_the_same_bytes() -> None:
    assert report_of(result()) == report_of(result())


def test_it_says_how_large_it_is() -> None:
    page = report_of(result())
    assert f"This file is {len(page.encode()) / 1e6:.1f} MB" in page


def test_nothing_in_it_refers_to_another_place() -> None:
    page = report_of(result())
    without_scripts = re.sub(r"<script\b.*?</script>", "", page, flags=re.DOTALL)
    assert Addresses(without_scripts).found == []
    assert re.search(r"url\(|@import", without_scripts) is None


def test_text_of_users_is_never_markup() -> None:
    made = result(
        ("<b>SBIN",),
        strategy=HOSTILE,
        parameters={"<i>key": "<img src=x onerror=alert(2)>"},
        warnings=("file <u>a.csv",),
    )
    page = report_of(made)
    for text in ("<b>SBIN", HOSTILE, "<i>key", "<img", "<u>"):
        assert text not in DATA.sub("", page), text
    assert page.count("</script>") == 3
    hovers = json.dumps(drawn_in(page))
    assert HOSTILE not in hovers
    assert "bought 100 &lt;b&gt;SBIN at" in hovers


def every_figure(drawn: dict[str, Any]) -> list[dict[str, Any]]:
    return [*drawn["charts"].values(), *drawn["prices"].values()]


def without_colours(value: Any) -> Any:
    """Return a figure with a colour in place of each name that the page's script replaces."""
    if isinstance(value, str) and value.startswith("--"):
        return "#000000"
    if isinstance(value, dict):
        return {key: without_colours(one) for key, one in value.items()}
    return [without_colours(one) for one in value] if isinstance(value, list) else value


def test_plotly_knows_every_property_of_the_figures() -> None:
    for days in (10, 40):
        drawn = drawn_in(report_of(result(("SBIN", "INFY"), days=days)))
        figures = every_figure(drawn)
        assert len(figures) == 8
        for figure in figures:
            go.Figure(without_colours(figure))


def test_no_chart_has_more_than_a_few_thousand_points() -> None:
    drawn = drawn_in(report_of(result(("SBIN", "INFY"), days=300, trades=700)))
    for figure in every_figure(drawn):
        assert sum(len(trace["x"]) for trace in figure["data"]) <= 6_000
        assert max(len(trace["x"]) for trace in figure["data"]) <= 2_000
    assert sum(len(one["at"]) for one in drawn["candles"].values()) <= 30_000


def test_a_page_that_draws_less_than_there_is_says_so() -> None:
    long = text_of(report_of(result(days=300, trades=600)))
    assert "Of the closes at most 2,000 are drawn" in long
    assert "those with the largest gains and losses are drawn" in long
    assert "the first 500 of 600; trades.csv has all" in long
    short = text_of(report_of(result(days=10, trades=5)))
    assert "are drawn:" not in short
    assert "Trades (all 5)" in short


def test_a_close_up_holds_the_candles_of_its_trade() -> None:
    made = result(days=60, trades=40)
    drawn = drawn_in(report_of(made))
    for trade, shown in zip(made.trades, drawn["trades"], strict=True):
        part = drawn["candles"][trade.instrument]["at"][shown["first"] : shown["last"] + 1]
        assert part == sorted(part)
        assert part[0] <= shown["entered"] <= shown["exited"] <= part[-1]
        assert shown["entered"] == trade.entered_ms + 330 * 60_000
        entered = part.index(shown["entered"])
        at = made.histories[0].opened_ms.tolist().index(trade.entered_ms)
        assert entered == min(at, 30)


def test_trades_in_options_are_drawn_at_the_price_of_the_underlying() -> None:
    made = result(days=40, trades=1)
    (bought,) = made.trades
    option = replace(
        bought, tradingsymbol="SBIN24APR800CE", exchange="NFO", entry_price=Decimal(12)
    )
    request = replace(made.request, trades_in="options")
    page = report_of(replace(made, request=request, trades=(option,)))
    assert '<th scope="col">contract</th>' in page
    assert "drawn at the price of what they are on" in page
    drawn = drawn_in(page)
    history_of = made.histories[0]
    at = history_of.opened_ms.tolist().index(bought.entered_ms)
    (entry,) = (one for one in drawn["prices"]["NSE:SBIN"]["data"] if one["name"] == "BUY signal")
    assert entry["y"] == [history_of.open[at]]
    assert "bought 100 SBIN24APR800CE at ₹12.00" in entry["hovertext"][0]


def test_the_months_add_up_to_the_return() -> None:
    made = result(days=60, trades=30)
    months = monthly_returns(made.equity, float(made.request.capital))
    assert list(months) == [(2024, 4), (2024, 5), (2024, 6)]
    assert sum(months.values()) == pytest.approx(made.measures["return"])


def test_a_month_is_that_of_india() -> None:
    made = result(days=22, trades=0)
    assert made.histories[0].trading_day[-1].item() == date(2024, 4, 30)
    assert list(monthly_returns(made.equity, 1e6)) == [(2024, 4)]


def only(made: BacktestResult, gains: bool) -> str:
    trades = tuple(one for one in made.trades if (one.net > 0) == gains)
    return report_of(replace(made, trades=trades))


def test_results_with_gains_or_losses_alone_have_a_report() -> None:
    made = result(trades=12)
    for gains in (True, False):
        assert "distribution" in drawn_in(only(made, gains))["charts"]


def test_a_single_candle_has_a_report() -> None:
    one = result(days=1, trades=0)
    first = history(days=1)
    cut = replace(
        first,
        **{
            name: getattr(first, name)[:1]
            for name in (
                *("opened_ms", "closes_ms", "open", "high", "low", "close"),
                *("volume", "vwap", "trading_day"),
            )
        },
    )
    page = report_of(replace(one, histories=(cut,)))
    assert "SBIN: 1 candle of 15m" in text_of(page)
    assert len(drawn_in(page)["prices"]["NSE:SBIN"]["data"][0]["x"]) == 1
