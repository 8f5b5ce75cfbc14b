"""The page: one HTML file with its script, its style and its data in it, which needs no network.

A content policy forbids any request and any script but its own two; text of users is escaped by
the element tree, and what charts show by `html.escape`, for Plotly reads a little HTML.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from xml.etree.ElementTree import Element, tostring

from libs.runtime.elements import made
from services.local.backtest.report import words
from services.local.backtest.report.charts.closeup import close_ups
from services.local.backtest.report.drawn import drawn_of
from services.local.backtest.report.sections import foot, sections
from services.local.backtest.report.tables import MOST_TRADES
from services.local.backtest.result import BacktestResult


def report_of(result: BacktestResult) -> str:
    """Return the report as an HTML page; the same result gives the same bytes."""
    listed = result.trades[:MOST_TRADES]
    signals = {one.event_id: one for one in result.signals}
    histories = {one.key: one for one in result.histories}
    near = close_ups(histories, listed, signals)
    content = sections(result, listed, near)
    return page_of(words.title(result), content, drawn_of(result, signals, near))


def page_of(title: str, content: Iterable[Element], drawn: Mapping[str, Any]) -> str:
    """Return a page of these sections; `drawn` has its figures, under `charts` by their place."""
    plotly, script, style = _plotly(), _asset("page.js"), _asset("page.css")
    head = _head(title, _policy(plotly, script))
    body = _html(made("main", *content))
    data = _json(drawn)
    start = (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}<style>{style}</style></head><body>{body}'
    )
    end = f"<script>{plotly}</script><script>{script}</script></body></html>\n"
    given = f'<script type="application/json" id="drawn">{data}</script>'
    size = sum(len(one.encode()) for one in (start, given, end))
    return f"{start}{_html(foot(size))}{given}{end}"


def _head(title: str, policy: str) -> str:
    guard = {"http-equiv": "Content-Security-Policy", "content": policy}
    parts = (
        made("meta", charset="utf-8"),
        Element("meta", guard),
        made("meta", name="viewport", content="width=device-width, initial-scale=1"),
        made("title", title),
    )
    return "".join(_html(one) for one in parts)


def _html(element: Element) -> str:
    return tostring(element, "unicode", method="html")


def _policy(*scripts: str) -> str:
    """Return the content policy: these scripts, styles of the page, and images made in it."""
    hashes = " ".join(f"'sha256-{_sha256(one)}'" for one in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(value: Mapping[str, Any]) -> str:
    """Return JSON that cannot end the element that it stands in."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


@cache
def _plotly() -> str:
    """Return the script of the installed Plotly, which contains no end of a script element."""
    return (files("plotly") / "package_data" / "plotly.min.js").read_text("utf-8")


@cache
def _asset(name: str) -> str:
    return (files(__package__) / "assets" / name).read_text("utf-8")
